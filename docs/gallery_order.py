"""Order of the gallery: from the first call to studies."""

ORDER = [
    "drop_in_for_model_fit", "who_gets_chosen", "selector_in_ten_lines", "find_wrong_labels", "imbalanced_classes",
    "text_with_length_buckets", "image_curriculum", "schedule_study", "compare_selectors", "resume_after_a_kill",
    "stream_from_disk", "shakespeare_language_model",
]  # fmt: skip


def in_teaching_order(name: str) -> int:
    """Return the place of an example, by the name of its file; new ones come last."""
    stem = name.removesuffix(".py")
    return ORDER.index(stem) if stem in ORDER else len(ORDER)
