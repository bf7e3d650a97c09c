"""Tables in Markdown."""


def line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def rule(columns: int) -> str:
    return "|---|" + "---:|" * (columns - 1)
