r"""Rewrites notations of the same: `½` as `1/2`, `θ` as `\theta`, `\mathbf{27}` as `27`, `\frac{m}{s}` as `m/s`."""

import re
import unicodedata

_GREEK = {
    **{"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta"},  # noqa: RUF001
    **{"η": "eta", "θ": "theta"},
    **{"κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi"},  # noqa: RUF001
    **{"ρ": "rho", "σ": "sigma", "τ": "tau"},  # noqa: RUF001
    **{"φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda"},
    **{"Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega"},
}
_SIGNS = str.maketrans(
    {
        **{sign: f"\\{name} " for sign, name in _GREEK.items()},
        **{"ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "−": "-", "，": ",", "：": ":"},  # noqa: RUF001
        **{"（": "(", "）": ")", "％": "%", "。": ".", "；": ";", "⟨": r"\langle ", "⟩": r"\rangle "},  # noqa: RUF001
    }
)
_VULGAR_FRACTION = re.compile("([0-9]?)([¼½¾⅐-⅞])")
_FULL_WIDTH = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
# matches r"\mathbf{27}", r"\textcolor{red}{27}", r"\displaystyle 5", r"\color{blue}x", not r"\mathbf{i}", r"\mathbb{R}"
_STYLE = re.compile(
    r"\\(?:math(?:bf|it|sf|tt)|boldsymbol|bm|underline|emph|textup)\s*(?=\{(?!\s*[ijk]\s*\}))"
    r"|\\(?:textcolor|color)\s*\{[a-zA-Z!0-9]+\}|\\(?:displaystyle|textstyle|hfill)(?![A-Za-z])\s*"
)
"""Commands that change how their content looks. `\\mathbf{i}` is a vector, and no imaginary unit."""
MAX_BRACES = 4
"""Pairs of braces around a whole text that are taken off."""
_UNIT_LETTERS = r"(?:km|cm|mm|m|kg|mg|g|s|h|hr|min|ft|mi|L|mL|mol|J|N|W|C|V)"
_UNIT_IN_BRACES = rf"\{{\s*(?:\\(?:text|mathrm|textrm)\s*\{{\s*([A-Za-z]+)\s*\}}|({_UNIT_LETTERS}))\s*\}}"
# matches r"8 \frac{m}{s}", r"12\frac{\text{km}}{\text{h}}", not r"\frac{m}{s}", r"8\frac{x}{y}"
_UNIT_FRACTION = re.compile(
    rf"(?<=[0-9}})])(?:\\[,;:! ]|\s)*\\[dt]?frac\s*{_UNIT_IN_BRACES}\s*{_UNIT_IN_BRACES}\s*\.?\Z"
)
# matches "30cm^2", r"4\pi cm^3", "7kg", "30 cm", not "3x^2", "3m", "3mg", "cm"
_GLUED_UNIT = re.compile(r"(?<=[0-9)}i])\s*(km|cm|mm|kg|ft|mL|dm)(\^ ?(?:\{[23]\}|[23]))?\s*\.?\Z")
# matches r"9\,\mathrm{m\,s^{-2}}", r"9\mathrm{m/s}^2", r"9 m/s^2", not r"9\mathrm{m}", "9x/s^2"
_ACCELERATION = re.compile(
    r"(?<=[0-9}])(?:\\[,;:! ~]|[\s~])*(?:\\(?:mathrm|text)\s*\{)?\s*m(?:\\[,;:! ]|[\s~·])*"
    r"(?:/\s*s\}?\s*\^\s*\{?2\}?|s\s*\^\s*\{-2\})\}?\s*\.?\Z"
)
# matches all of r"\begin{cases} x=1 \\ y=2 \end{cases}", not of r"\begin{cases} x=1"
_CASES = re.compile(
    r"(?:\\left\s*\\?\{\s*)?\\begin\{(cases|aligned|array)\}(?:\{[lcr| ]*\})?(.*)\\end\{\1\}(?:\s*\\right\s*\.)?"
)
# matches r"\begin{array}{cc}", r"\begin{array}{c|c}", not r"\begin{matrix}"
_ARRAY = re.compile(r"\\begin\{array\}\s*\{[lcr| ]*\}")


def unify_signs(text: str) -> str:
    """`text` with signs outside of ASCII as LaTeX or ASCII, where they have the same meaning."""
    if text.isascii():
        return text
    text = _VULGAR_FRACTION.sub(_format_fraction, text)
    return _FULL_WIDTH.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text).translate(_SIGNS)


def _format_fraction(match: re.Match[str]) -> str:
    fraction = unicodedata.normalize("NFKC", match[2]).replace("\N{FRACTION SLASH}", "/")
    return f"{match[1]} {fraction}" if match[1] else fraction


def unify_commands(text: str) -> str:
    """`text` without commands for its looks, and with units behind a number as words."""
    text = _STYLE.sub("", text)
    text = _strip_braces(text)
    if match := _UNIT_FRACTION.search(text):
        top, bottom = match[1] or match[2], match[3] or match[4]
        text = f"{text[: match.start()]} {top}/{bottom}"
    if match := _ACCELERATION.search(text):
        text = f"{text[: match.start()]} m/s²"
    return text


def detach_unit(text: str) -> str:
    """`30 cm²` of `30cm^2`."""
    match = _GLUED_UNIT.search(text)
    if match is None:
        return text
    power = {"2": "²", "3": "³"}[match[2].rstrip("}")[-1]] if match[2] else ""
    return f"{text[: match.start()]} {match[1]}{power}"


def _strip_braces(text: str) -> str:
    """`27` of `{27}`."""
    for _ in range(MAX_BRACES):
        if not (text.startswith("{") and text.endswith("}") and _closes_at_end(text)):
            break
        text = text[1:-1].strip()
    return text


def _closes_at_end(text: str) -> bool:
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if not depth:
            return at == len(text) - 1
    return False


def unify_systems(text: str) -> str:
    r"""The rows of `\begin{cases}` as a list of equations, and an array as a matrix."""
    if (cases := _CASES.fullmatch(text)) and "=" in cases[2] and "\\begin" not in cases[2]:
        rows = [row.replace("&", " ").strip(" ,;.") for row in cases[2].split("\\\\")]
        if all("=" in row for row in rows if row):
            return ", ".join(row for row in rows if row)
    if "\\begin{array}" in text and text.count("\\begin") == 1:
        return _ARRAY.sub(r"\\begin{matrix}", text).replace("\\end{array}", "\\end{matrix}")
    return text
