"""Word problems of our own: short stories whose solution is a few integer operations in the order of the telling."""

from __future__ import annotations

from random import Random

NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Kim", "Liam")
ITEMS = ("apples", "books", "coins", "marbles", "pencils", "shells", "stamps", "stickers", "eggs", "cards")

Story = tuple[str, str]
"""The question and the expression that answers it."""


def _change(rng: Random, level: int) -> Story:
    name, item, top = rng.choice(NAMES), rng.choice(ITEMS), 10 * 3**level
    total = rng.randint(5, top)
    text, expression = f"{name} has {total} {item}.", f"{total}"
    for _ in range(level):
        amount = rng.randint(1, top // 2)
        if rng.random() < 0.5 or amount >= total:
            text += rng.choice((f" {name} finds {amount} more.", f" A friend brings {amount} more."))
            expression, total = f"( {expression} + {amount} )", total + amount
        else:
            text += rng.choice((f" {name} gives away {amount}.", f" {name} loses {amount} of them."))
            expression, total = f"( {expression} - {amount} )", total - amount
    return f"{text} How many {item} does {name} have now?", expression


def _shop(rng: Random, level: int) -> Story:
    name, top = rng.choice(NAMES), 4 + 5 * level
    text, expression = f"{name} buys", ""
    goods = rng.sample(ITEMS, min(1 + level // 2, 3))
    for position, item in enumerate(goods):
        count, price = rng.randint(2, top), rng.randint(2, 9)
        joint = "" if position == 0 else " and"
        text += f"{joint} {count} {item} at {price} dollars each"
        expression = f"{count} * {price}" if not expression else f"{expression} + {count} * {price}"
    if level % 2:
        return f"{text}. How many dollars does {name} pay?", expression
    extra = rng.randint(1, 9 * level)
    return f"{text}, and pays {extra} dollars for delivery. How many dollars does {name} pay?", f"{expression} + {extra}"


def _share(rng: Random, level: int) -> Story:
    item, children, each = rng.choice(ITEMS), rng.randint(2, 5 + level), rng.randint(2, 4 + 4 * level)
    boxes = rng.choice([b for b in range(1, children * each + 1) if (children * each) % b == 0 and b <= 12])
    per_box = children * each // boxes
    text = f"There are {boxes} boxes with {per_box} {item} each. {children} children share them equally."
    if level < 3:
        return f"{text} How many {item} does each child get?", f"{boxes} * {per_box} / {children}"
    eaten = rng.randint(1, each - 1)
    text = f"{text} Then each child gives {eaten} to a teacher. How many {item} does each child keep?"
    return text, f"{boxes} * {per_box} / {children} - {eaten}"


def _journey(rng: Random, level: int) -> Story:
    legs = [(rng.randint(2, 9), rng.randint(2, 10 * level)) for _ in range(1 + level // 2)]
    parts = [f"{hours} hours at {speed} km per hour" for hours, speed in legs]
    expression = " + ".join(f"{hours} * {speed}" for hours, speed in legs)
    return f"{rng.choice(NAMES)} rides {', then '.join(parts)}. How many km is that in total?", expression


def _garden(rng: Random, level: int) -> Story:
    width, length = rng.randint(2, 5 * level + 3), rng.randint(2, 9 * level + 3)
    if rng.random() < 0.5:
        return f"A garden is {width} m wide and {length} m long. How long is the fence around it?", f"( {width} + {length} ) * 2"
    path = rng.randint(1, width * length - 1)
    text = f"A garden is {width} m wide and {length} m long. A pond covers {path} square m of it. How many square m are left?"
    return text, f"{width} * {length} - {path}"


def _plain(rng: Random, level: int) -> Story:
    sizes = (9, 50, 99, 300)
    numbers = [rng.randint(1, sizes[level - 1]) for _ in range(rng.randint(2, 2 + level // 2))]
    expression = str(numbers[0])
    for number in numbers[1:]:
        expression += f" {rng.choice('+-' if level > 1 else '+-*')} {number}"
    wording = rng.choice(("What is {}?", "Compute {}.", "How much is {}?", "{} = ?", "What do you get for {}?"))
    return wording.format(expression), expression


STORIES = (_change, _shop, _share, _journey, _garden, _plain)


def tell(rng: Random, level: int) -> tuple[str, str, str]:
    """Tell one story of the level (1-4): its kind, its question and its expression."""
    story = rng.choice(STORIES)
    question, expression = story(rng, level)
    return story.__name__.strip("_"), question, expression
