"""Pairs of whole outputs that announce no answer, as models write them."""

from __future__ import annotations

import pytest

from uniscale_integrations.search.answers import extract_answer, same_answer


@pytest.mark.parametrize(
    ("left", "right", "question"),
    [
        ("The flight costs **£120**.", "Answer: £120.00", "What does it cost?"),
        ("The company owes **$3.2 billion**.", "$3,200,000,000", "How much does it owe?"),
        ("It makes a profit of $1.5 million.", "4 − 2.5 = **$1,500,000**", "What is the profit?"),
        ("The train arrives at 12:35 PM.", "12:35", "When does it arrive?"),
        ("The meeting starts at **3 pm**.", "The meeting starts at 15:00.", "When does it start?"),
        ("The name server is at 192.168.1.10.", "192.168.1.10", "Which address?"),
        ("He won 6-4, 7-5, 6-3.", "**6–4, 7–5, 6–3**", "What was the score?"),
        ("Der Vertrag wurde am **3. Oktober 1990** unterzeichnet.", "Antwort: 03.10.1990", "Wann?"),
        ("Der Krieg endete am 8. Mai 1945.", "8.5.1945", "Wann endete er?"),
        ("Die Stadt hat **48.200 Einwohner**.", "Die Stadt hat 48 200 Einwohner.", "Wie viele Einwohner hat sie?"),
        ("La voiture coûte **23 490,50 €**.", "Prix total : 23490,50 euros", "Combien coûte la voiture ?"),
        ("Therefore the probability is $\\frac14 \\cdot \\frac{12}{51} = \\frac{1}{17}$.", "1/17", "How likely is it?"),
        ("$$a = \\frac{F}{m} = \\frac{20}{5} = 4\\ \\text{m/s}^2$$", "The acceleration is **4 m/s²**.", "How much?"),
        ("The solutions are $x = 1 + \\sqrt{2}$ and $x = 1 - \\sqrt{2}$.", "$x = 1 \\pm \\sqrt2$", "Solve it."),
        ("The solutions are **x = 4** and **x = −4**.", "x = ±4", "Solve it."),
        (
            "Factoring gives $x(x-1)(x-2) = 0$, so the roots are $x = 0, 1, 2$.",
            "The roots are **2, 1 and 0**.",
            "Find all roots.",
        ),
        ("The inequality holds when $x < -3$ or $x > 3$.", "$(-\\infty,-3)\\cup(3,\\infty)$", "For which x?"),
        ("This holds exactly when −2 ≤ x ≤ 2.", "$[-2, 2]$", "For which x?"),
        ("So the solution is **-1 < x < 5**.", "\\boxed{(-1, 5)}", "Solve |x - 2| < 3."),
        ("The domain is $\\{x \\in \\mathbb{R} \\mid x \\geq 4\\}$.", "[4, ∞)", "What is the domain?"),
        ("We obtain f'(x) = 2x/(x² + 1).", "$f'(x) = \\frac{2x}{x^2+1}$", "Differentiate."),
        ("This simplifies to y = 3x - 1.", "$y = 3x - 1$", "Which line?"),
        ("√50 + √18 = 5√2 + 3√2 = 8√2 ≈ 11.31", "$8\\sqrt{2}$", "Simplify."),
        ("Binary search takes O(log n) time.", "$O(\\log n)$", "How fast is it?"),
        ("6 spiders have **48 legs**, since each has 8.\n\nShall I do ants?", "48", "How many legs?"),
        ("After giving 15 to Bob, he has 25 left. Let me know if you need more!", "25", "How many are left?"),
        ("x = 7\n\n**Check:** 3(7) + 2 = 23 ✓", "7", "What is x?"),
        ("17 × 23 = 391\n\nHope that helps!", "391", "What is 17 × 23?"),
        ("The primes are:\n- 23\n- 29\n\nSo there are a few of them.", "29 and 23", "Which primes are there?"),
        (
            "**B. Energy**\n\nThe cell needs it. Option A is of plants, and option D of none that we know, as was said.",
            "B",
            "Which?",
        ),
        ("Option B is correct.", "(B)", "Which?"),
        ("Only statements I and III are true.", "**I and III only**", "Which?"),
        ("Yes — although it is better to wait 30 minutes.", "Yes, you can.", "Can I?"),
        ("Use `git reset --soft HEAD~1`.", "```bash\ngit reset --soft HEAD~1\n```", "How do I undo it?"),
        ("The program prints:\n\n```\n6\n```", "The output is `6`.", "What does it print?"),
        ("答えは富士山です。", "富士山", "一番高い山は何ですか。"),
        ("終戦記念日は8月15日です。", "8月15日", "いつですか"),
        ("**Réponse :** il reste 12 billes.", "12", "Combien de billes reste-t-il ?"),
        ("The movie is 3h 14m long.", "194 minutes", "How long is it?"),
        ("\\boxed{60 \\mathrm{~km/h}}", "60 km/h", "How fast?"),
        ("\\boxed{2 > x}", "x < 2", "For which x?"),
        ("Answer: none", "0", "How many are left?"),
        ("It was written by García.", "It was written by Garcia.", "Who wrote it?"),
    ],
)
def test_they_say_the_same(left: str, right: str, question: str) -> None:
    first, second = extract_answer(left, question), extract_answer(right, question)
    assert first is not None
    assert second is not None
    assert same_answer(first, second, question)
    assert same_answer(second, first, question)


@pytest.mark.parametrize(
    ("left", "right", "question"),
    [
        ("The car travels at 75 km/h.", "The car travels at 75 mph.", "How fast?"),
        ("The parcel weighs **2.5 kg**.", "The parcel weighs **2.5 lb**.", "How heavy?"),
        ("The flight costs **£120**.", "The flight costs **€120**.", "What does it cost?"),
        ("It owes **$3.2 billion**.", "It owes **$3.2 million**.", "How much?"),
        ("Tiene **2.350.000 habitantes**.", "Tiene **2.530.000 habitantes**.", "¿Cuántos?"),
        ("It arrives at 12:35 PM.", "It arrives at 12:35 AM.", "When?"),
        ("He won 6-4, 7-5, 6-3.", "He won 6-4, 5-7, 6-3.", "What was the score?"),
        ("It is at 192.168.1.10.", "It is at 192.168.1.1.", "Where is it?"),
        ("$$f'(x) = 2x\\sin x + x^2\\cos x$$", "$$f'(x) = 2x\\cos x$$", "Differentiate."),
        ("This simplifies to y = 3x - 1.", "This simplifies to y = 5x - 1.", "Which line?"),
        ("We obtain 1 − 2i.", "We obtain 1 − 3i.", "What is it?"),
        ("Therefore −2 < x < 3.", "Therefore −3 < x < 3.", "For which x?"),
        ("This is n = 0 and n = 4.", "This is n = 1 and n = 4.", "Which n?"),
        ("They are 23, 29, 31, 37.", "They are 23, 27, 31, 37.", "Which?"),
        ("8月15日", "9月15日", "いつですか"),
        ("Der Krieg endete am 8. Mai 1945.", "Der Krieg endete am 9. Mai 1945.", "Wann?"),
        ("It costs $80 − $20 = $60.", "It costs $80 − $25 = $55.", "How much?"),
        ("She made ten dollars. (5/6 of $12 is $10.)", "She made twelve dollars. (All of $12 is $12.)", "How much?"),
        ("It's 3h 14m long.", "It's 2h 14m long.", "How long?"),
        ("It was written by García and first published in 1967.", "It was written by Llosa and first published in 1967.", "Who?"),
        ("17 × 23 = 381\n\nHope that helps! 😊", "17 × 23 = 391\n\nHope that helps! 😊", "What is it?"),
        ("1. Red\n2. Green\n\nMixing gives white.", "1. Red\n2. Blue\n\nMixing gives white.", "Which?"),
        (
            "It has 12 regions. Sales rose in 9 of them, while costs stayed flat.",
            "It has 12 regions. Sales fell in 9 of them, too.",
            "",
        ),
        (
            "The hotel was built in 1902 and has 40 rooms on 4 floors.",
            "The inn was opened in 1911 and has 25 rooms on 4 floors.",
            "",
        ),
        ("The standard deviation is 2.14 (variance 4.57).", "The standard deviation is 4.57.", "What is it?"),
        (
            "Air scatters short waves more than long ones, as was shown in 1871.",
            "The sky mirrors the sea, as was shown in 1871.",
            "Why?",
        ),
    ],
)
def test_they_do_not_say_the_same(left: str, right: str, question: str) -> None:
    first, second = extract_answer(left, question), extract_answer(right, question)
    assert first is None or second is None or not same_answer(first, second, question)
