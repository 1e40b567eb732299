"""Finds the right name for an old or misspelt word of the command line, to be shown in the error message."""

import difflib
from collections.abc import Collection, Iterable

OLD_VERBS = {"stub": "mock-server"}

OLD_FIELDS: dict[str, tuple[str, ...]] = {
    # Verifiers, in every recipe that verifies.
    "judge": ("answer_match",),
    "equality": ("answer_match",),
    "compose": ("combine",),
    "read": ("answer_keys",),
    "accept": ("reward_threshold",),
    "panel": ("llm_judge",),
    "pairs": ("pairwise_judge", "pairs_dataset"),
    "cpu": ("cpu_seconds",),
    "exact": ("restore_exact",),
    "gold": ("show_gold",),
    "group": ("group_column",),
    "doubt": ("undecided_band",),
    # ScaleQuest and the training of its questioners.
    "repeats": ("exact_duplicates",),
    "near_repeats": ("near_duplicates",),
    "truth": ("measure_error_rates",),
    "tune": ("fine_tuning",),
    "sampled": ("n_questions",),
    "faulty": ("only_unsolvable",),
    "prefer": ("preference_optimization",),
    "keep": ("keep_band", "export_folder"),
    "enough": ("stop_at_share",),
    "gram": ("contamination_ngram", "ngram"),
    "part": ("coverage_ngram",),
    "likeness": ("least_relative_probability",),
    "least": ("least_share",),
    "harder": ("harder_template",),
    "difficulty": ("harder_share",),
    "rate": ("learning_rate",),
    "length": ("max_tokens",),
    "micro": ("micro_batch",),
    "launch": ("launch_options",),
    "anchor": ("sft_weight",),
    # LEMMA and its students.
    "pose": ("normalize",),
    "grade": ("keep_decided",),
    "count": ("count_types",),
    "types": ("draw_types",),
    "alike": ("drop_duplicates",),
    "fix": ("fix_continue",),
    "fresh": ("fresh_restart",),
    "check": ("validate_corrections",),
    "balance": ("select",),
    "mix": ("error_types_dataset",),
    "counts": ("error_counts_dataset",),
    "easy": ("keep_never_failed",),
    "hard": ("limit_by_failure",),
    "paired": ("both_strategies",),
    "most_overlap": ("max_overlap",),
    "shortest": ("min_correction_characters",),
    "longest": ("max_trajectory_characters", "max_words"),
    "longest_reflection": ("max_reflection_characters",),
    "tokens": ("token_budget",),
    # RL pools.
    "sure": ("whole_interval",),
    # The shipped model's training.
    "lessons": ("examples",),
    "own": ("self_training",),
    "own_times": ("self_training_copies",),
    "stress": ("upweight",),
    "schooling": ("training",),
    "exam": ("eval_size",),
    "work": ("work_folder",),
    "target": ("model_folder",),
    "hidden": ("hidden_size",),
    "accumulate": ("accumulation_steps",),
    "widths": ("padded_lengths",),
    "vector_rate": ("vector_learning_rate",),
    "warmup": ("warmup_steps",),
    "decay": ("decay_share",),
    "start": ("start_model",),
    "compiled": ("use_compile",),
    # The mock server.
    "full": ("over_capacity",),
    "too_many": ("fault_rate_limited",),
    "fails": ("fault_server_error",),
    "cut": ("fault_cut_off",),
    "wrong_json": ("fault_invalid_json",),
    "hangs": ("fault_hang",),
    "hang": ("hang_seconds",),
    "drips": ("fault_slow_body",),
    "drip": ("slow_body_seconds",),
}
"""Old field names, each with its present names; which one applies depends on the part of the recipe."""

OLD_VALUES = {
    "ladder": "answer_match",
    "weighed_vote": "weighted_vote",
    "panel": "llm_judge",
    "pairs": "pairwise_judge",
}
"""Old values of fields that allow a fixed set of words, such as `verifiers`, with their present names."""


def find_new_field(old: str, fields: Collection[str]) -> str | None:
    """Return the name among `fields` that replaced `old`, or None."""
    return next((new for new in OLD_FIELDS.get(old, ()) if new in fields), None)


def suggest(word: str, known: Iterable[str]) -> str:
    """Suggest the word of `known` that is closest to `word`, or list them all."""
    known = list(known)
    if near := difflib.get_close_matches(word, known, n=1):
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(known) or 'none'}"
