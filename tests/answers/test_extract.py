"""From texts as models write them to their answers, in time linear in their length."""

from __future__ import annotations

import pytest

from uniscale_integrations.answers.extract import extract_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>It may be 3.\nAnswer: 3</think>\n\n**4**", "4"),
        ("<think>It may be 3, so the answer is 3", None),
        ("some thoughts on 3</think>Answer: 4", "4"),
        (r"I tried \boxed{3} first. The final answer is 4.", "4"),
        ("The answer is 12, not 15.", "12"),
        ("The answer is 12 because 3 * 4 = 12.", "12"),
        ("The best option is B, since it rhymes.", "B"),
        ("Die Antwort lautet 42, denn 6 mal 7 ist 42.", "42"),
        ("La respuesta es 7.", "7"),
        ("A resposta é Lisboa.", "Lisboa"),
        ("La réponse est 9 km.", "9 km"),
        ("Ответ: 15 яблок", "15 яблок"),
        ("所以答案是42。", "42"),
        ("答えは42です", "42"),
        ("**Final Answer**\n\n12", "12"),
        ("Result: 42", "42"),
        ("The meeting is on 30 May 2026.", "30 May 2026"),
        ("It is Rome.\n\nShall I name 3 more?", "Rome"),
        ("It is Rome [1].\n\nSources:\n[1] a page", "Rome"),
        ("The red house has 4 rooms, see page 12.", "4"),
        ("Yes, you may return it within a month [1]", "Yes"),
        ("1. Rome\n2. Oslo\n3. Bern", "1. Rome\n2. Oslo\n3. Bern"),
        ("Use this:\n```python\nprint(1)\n```", "```python\nprint(1)\n```"),
        ("Goods that were on sale, as has often been said of late, cannot be returned to the place of purchase [1]", None),
        (
            "She has 24 apples, gives 8 of them to her brother and buys 15 more at the market. Therefore, she has 31 apples left.",
            "31",
        ),
        (
            "Er hat 12 Euro, und dann kommen noch 5 von seiner Oma dazu, die er am Montag besucht. Insgesamt hat er also 17 Euro.",
            "17 Euro",
        ),
        ("One minus seven, that is 1 - 7, is the difference between 1 and 7. In other words, 1 - 7 equals -6.", "-6"),
        ("The reform began in 1990 and was contested for a long time by several of the parties. It was repealed in 1999.", None),
        ("所以一共有12个苹果。", "12"),
        ("답은 12개입니다.", "12"),
        ("合計は\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}個です。", "12"),
        (
            "There are many views. Some say 3, others, since the reform of the year 1999, have said 5 or even 7, as is known.",
            None,
        ),
    ],
)
def test_the_answer_of_a_text(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer
