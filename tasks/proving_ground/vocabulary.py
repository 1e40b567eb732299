"""The words of the templates: people, things, places. The vocabulary is short on purpose."""

from typing import NamedTuple


class Noun(NamedTuple):
    """A word with its plural; words that are never counted (juice) have none."""

    one: str
    many: str = ""


class Name(NamedTuple):
    """A person's name, with its pronouns."""

    one: str
    he: str
    his: str
    him: str


Entry = Noun | Name


def parse_nouns(text: str) -> tuple[Noun, ...]:
    """Parse nouns from `egg box/boxes shirt`; a plural that is not given is formed with an s."""
    return tuple(Noun(one, many or one + "s") for one, _, many in (w.partition("/") for w in text.split()))


def parse_words(text: str) -> tuple[Noun, ...]:
    """Parse words that have one form only, from `juice, milk, apple juice`."""
    return tuple(Noun(word.strip()) for word in text.split(","))


def parse_names(text: str, he: str, his: str, him: str) -> tuple[Name, ...]:
    """Parse names that share their pronouns, from `Mia Anna`."""
    return tuple(Name(name, he, his, him) for name in text.split())


NAMES = (
    *parse_names(
        "Mia Anna Lily Emma Sara Nina Zoe Maya Ella Lucy Rosa Kate Ida Amy Eva Julia Nora", "she", "her", "her"
    ),
    *parse_names("Tom Ben Sam Leo Max Jack Omar Noah Adam Luke Paul Ivan Hugo Tim Dan Felix Karl", "he", "his", "him"),
)

FRUIT = parse_nouns("apple pear orange lemon plum peach/peaches banana melon mango/mangoes fig")
FOOD = parse_nouns("cookie roll muffin cake pie bun tart pizza waffle bagel")
SMALL_THINGS = parse_nouns("card coin shell stamp bead button marble sticker stone badge")
GOODS = parse_nouns("pen book cup lamp hat bag ball brush/brushes mug toy plate candle")
SWEETS = parse_nouns("sweet cookie nut candy/candies grape cherry/cherries berry/berries")
BOXES = parse_nouns("box/boxes bag basket tray crate pack")
PLANTS = parse_nouns("tree rose tulip bush/bushes bean flower")
ANIMALS = parse_nouns("cow horse goat hen dog cat duck rabbit pig pony/ponies")
PEOPLE = parse_nouns("child/children student visitor player guest")
HELPERS = parse_nouns("worker painter cook driver farmer baker")
MACHINES = parse_nouns("machine robot printer press/presses pump")
VEHICLES = parse_nouns("car bus/buses train truck van boat tram")
LIQUIDS = parse_words("milk, water, juice, tea, soup, cider, cocoa, lemonade")
POWDERS = parse_words("flour, sugar, butter, salt, honey, corn")
VENUES = parse_nouns("shop market school farm club library/libraries museum park")
SURFACES = parse_nouns("garden field yard park room floor")
COLORS = parse_words("red, blue, green, white, black, yellow, pink, brown")
WORK = parse_nouns("page letter poem problem puzzle song")
DAYS = parse_words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
