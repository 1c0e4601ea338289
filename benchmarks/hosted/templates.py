"""What people ask hosted models, by topic: texts with slots."""

from __future__ import annotations

TEMPLATES: dict[str, tuple[str, ...]] = {
    "arithmetic": (
        "{name} has {n} {things}. {name} gives {k} of them to {other} and buys {m} more. How many {things} does {name} have now?",
        "A shop sells {things} for ${k} each. {name} buys {m} of them and pays with a ${big} bill. How much change does {name} get?",
        "A train leaves {city} at {hour} o'clock and travels at {n} km per hour for {k} hours. How many kilometers does it cover?",
        "{name} earns ${m} per hour and works {k} hours a day, {few} days a week. How many dollars is that in {n} weeks?",
        "A farmer packs {big} eggs into boxes of {m}. {k} boxes break on the way to {city}. How many whole boxes are left?",
        (
            "In a school with {big} children, {n} percent come by bus, {m} children walk, and the rest are driven by their parents. "
            "How many children are driven to school?"
        ),
        "{name} is {k} years older than {other}. In {few} years their ages will add up to {n}. How old is {name} today?",
        (
            "A tank holds {big} liters. A pump fills {m} liters per minute while {k} liters per minute leak out. After how many minutes "
            "is the tank full?"
        ),
        "{name} reads {m} pages on Monday, twice as many on Tuesday and {k} less on Wednesday. How many pages is that in total?",
        "If {few} workers need {n} days to build a wall, how many days do {k} workers need for {m} walls of the same size?",
        "{name} and {other} share ${big} so that {name} gets ${n} more. They spend ${m} together. How much is left in total?",
        (
            "The price of a jacket was raised by {k} percent in March and lowered by ${m} in April. It cost ${big} before. What does it "
            "cost after both changes?"
        ),
        "A rope of {big} meters is cut into {few} pieces; each is {k} meters longer than the one before. How long is the shortest?",
    ),
    "trivia": (
        "Who was the ruler of {country} in {year}?",
        "What is the largest river that flows through {country}, and is it longer than {big} km?",
        "In which year did {country} first take part in the Olympic Games, before or after {year}?",
        "which band had a number one hit in {country} in {year}",
        "Who painted the portrait of {person} that hung in {city} until {year}?",
        "when was the university of {city} founded and who was its head in {year}",
        "What is the capital of {country}, and which was it in {year}?",
        "Which country hosted the world championship in {sport} in {year}?",
        "who wrote the novel about {person} that was published in {year}",
        "What was the population of {city} in {year}?",
        "Who won the gold medal in {sport} for {country} in {year}?",
        "Which treaty did {country} sign in {year}?",
        "Where was {person} living when the news from {city} came in {year}?",
    ),
    "code": (
        (
            "Write a Python function `{verb}_{word}(items: list[int], limit: int = {n}) -> list[int]` that returns the elements that are "
            "greater than `limit`, without duplicates, in their first order."
        ),
        (
            "Fix the following code:\n```python\ndef {verb}_{word}(xs):\n    total = 0\n    for i in range(len(xs) + 1):\n"
            "        total += xs[i] * {k}\n    return total\n```\nIt fails with IndexError: list index out of range."
        ),
        (
            'def {verb}_{word}(text: str, width: int = {n}) -> list[str]:\n    """Split text into lines of at most width characters.\n'
            '    >>> {verb}_{word}(\'a b c\', {few})\n    """\n'
        ),
        (
            "Given this table\n```sql\nCREATE TABLE {word} (id INT, {thing} TEXT, amount NUMERIC, created DATE);\n```\nwrite a query for "
            "the {k} rows with the largest amount for each {thing} since {year}."
        ),
        (
            "What is printed?\n```python\nvalues = {{'{word}': {n}, '{thing}': {m}}}\nprint(sum(v // {k} for v in values.values()))\n```"
        ),
        (
            "Implement a class `{Word}Cache` in TypeScript with get(key), set(key, value) and a capacity of {n}; the entry that was used "
            "least recently is evicted first."
        ),
        "Write a regular expression that matches {thing} codes: {few} capital letters, a dash, {k} digits, and an optional [{word}].",
        (
            "Refactor:\n```js\nfunction {verb}(a, b) {{\n  if (a > {n}) {{ return b; }} else {{ if (b > {m}) {{ return a; }} }}\n"
            "  return a + b;\n}}\n```\nUse early returns and const."
        ),
        "Write a bash one-liner that deletes all files in /var/{word} that are older than {n} days and larger than {m} MB.",
        (
            "Complete the function:\n```go\n// {Word} returns the {k}th largest element of xs.\nfunc {Word}(xs []int) (int, error) {{\n"
            "```"
        ),
        "Why does `{verb}_{word} = [[0] * {k}] * {m}` in Python change every row when I set one element to {n}? Show the right code.",
        (
            "Write unit tests with pytest for a function `{verb}_{word}(start: int, stop: int) -> int`; cover start={n}, stop={m}, equal "
            "arguments and negative numbers."
        ),
        "Write a program in C that reads {n} integers from stdin into an array, sorts it, and prints every {k}th value.",
    ),
    "summary": (
        "Summarize the following report in {few} sentences.\n\n{passage}",
        "What are the {few} main points of this message?\n\n{passage}",
        "{passage}\n\nWrite a short headline for this article of at most {k} words.",
        "Please give me the gist of this letter; I have {n} seconds.\n\n{passage}",
        "Summarise for the board of {city}, at most {n} words:\n\n{passage}",
        "{passage}\n\nTL;DR in {few} bullet points",
        "Explain to a ten year old what happened here:\n\n{passage}",
        "Read the minutes below. What was decided, and what was left open?\n\n{passage}",
        "Condense this text to {n} words, and keep every number.\n\n{passage}",
        "{passage}\n\nWhat did {name} say about it, in one sentence?",
        "Write an abstract of {n} words for the text that follows.\n\n{passage}",
        "Compare what {name} and {other} think according to this article:\n\n{passage}",
    ),
    "translation": (
        "Translate into {language}: The {thing} that {name} ordered in {city} will arrive {k} days late.",
        "How do you say in {language}: 'We met {other} near the {thing} in {year}, and it rained'?",
        "Translate to {language}, formal: Dear {name}, thank you for the {n} {things}; the invoice of {city} is missing.",
        "Please translate the sentence into {language}. 'Neither {name} nor {other} had seen such a {thing} in {city}.'",
        "Translate from English into {language}:\nThe {thing} is out of stock until the {k}th.\nPlease choose another {thing}.",
        "Give me the {language} for: 'If I had known that {city} was so far, I would have taken {n} {things} with me.'",
        "Translate into {language} and keep the tone: Hey {name}, still up for {sport} at {hour}? Bring {other}!",
        "{language} translation of 'Whoever finds the {thing} of {name} may keep {k} of the {things}', please",
        "Translate the menu into {language}: soup of the day, {thing} with {things}, {k} kinds of cheese, tea from {city}",
        "Translate this notice into {language}: No {things} beyond this point. Visitors to {city} pay {n} at the desk.",
        "Put this into natural {language}: The committee of {city} has adjourned its debate on {sport} until {year}.",
        "Translate the following subtitle into {language}: - {name}, wait! - The {thing} leaves at {hour}, {other}.",
    ),
    "puzzle": (
        (
            "There are {few} people in a row, numbered from left to right: {name}, {other}, {third} and others. Each has a different "
            "{thing}. 1. {name} does not stand next to {other}. 2. The one in place {few} has the red {thing}. 3. {third} stands left of "
            "{name}. 4. House {k} is empty. Who has the red {thing}?"
        ),
        (
            "Using the numbers {k}, {few}, {m} and {n}, each exactly once, and the operations + - * /, make {hour}. Write the "
            "steps one by one."
        ),
        (
            "Five boxes labelled A, B, C, D, E hold {k}, {m}, {n}, {few} and {hour} {things}. A holds more than C. D holds fewer than B. "
            "E holds neither the most nor the fewest. If C holds {k}, what does B hold?"
        ),
        (
            "{name} always lies, {other} always tells the truth, {third} lies on every {few}th day. {name} says: it is day {n}. {other} "
            "says: {third} lies today. {third} says: yesterday was day {m}. Which day is it?"
        ),
        (
            "A knight stands on square ({few}, {k}) of a board with {n} rows and {m} columns. What is the least number of moves to reach "
            "square (1, {hour}), if row {few} may not be entered?"
        ),
        "Which number comes next in the sequence {k}, {m}, {n}, {big}, ... if every term depends on the two before it and on {few}?",
        (
            "Three jugs hold {n}, {m} and {k} liters. The first is full, the others are empty. In how many pourings can you measure "
            "exactly {few} liters? List the state after each pouring."
        ),
        (
            "Schedule {few} talks by {name}, {other}, {third} and others in {k} rooms. {name} speaks before {other}. {third} is not in "
            "room {few}. No room is used at {hour}. {other} needs room 1. Who speaks last?"
        ),
        (
            "Clues: 1. The {thing} is next to the {word}. 2. {name} sits {few} seats from {other}. 3. Seat {k} is blue. 4. {third} has no "
            "neighbor. 5. {other} likes {sport}. There are {m} seats. Where does {name} sit?"
        ),
        "In the cipher a=>{k}, every next letter adds {few} modulo {n}. Decode: {m} {hour} {k} {n} {few}. What is the word?",
        (
            "You have {n} coins, {few} of which are lighter by {k} grams. A balance takes {m} coins a side. How many weighings are "
            "needed at most to find all the light coins?"
        ),
        (
            "On an island {few} tribes trade {things}. {k} {things} equal {m} shells; {n} shells equal one {thing}. {name} has {big} "
            "shells, {other} has {hour} {things}. Who can buy more {things}, if every {few}th shell is false?"
        ),
    ),
    "extraction": (
        (
            "Extract the name, the date and the amount from this invoice and return JSON with the keys name, date and amount.\n"
            "Invoice no. {big}\nTo: {name} {surname}, {city}\nDate: {k}/{few}/{year}\n{m} x {thing}: ${n}.00\nTotal: ${big}.00"
        ),
        (
            'Return a JSON list of all people and places in this text: "{name} {surname} flew from {city} to {country} in {year} to meet '
            '{other}, who plays {sport} there."'
        ),
        (
            'From the log below give me the id of the failed request as {{"id": ...}}.\n[{hour}:00:{k}] INFO {word} start id={n}\n'
            "[{hour}:00:{m}] ERROR {word} timeout id={big}\n[{hour}:01:00] INFO {word} stop id={m}"
        ),
        (
            'Fields: product, quantity, city. Text: "Hi, this is {name}. Please send {n} {things} to us in {city}, not {k} as last '
            'time." Output: JSON only.'
        ),
        'Classify the ticket as billing, bug, or question; answer {{"label": ...}}: "{name}: my {thing} shows {n} since {year}"',
        (
            "Convert this line to CSV with the header name;city;amount;year: {name} {surname} ({city}) owes {n} dollars since {year}; "
            "{other} ({country}) owes {m}."
        ),
        'List all numbers in the text as a JSON array: "{name} sold {n} {things} at {k}, {other} {m} at {few}, {big} in total."',
        (
            "name: {name} {surname}\nphone: +{few} {big} {n}\nmail: {name}@{word}.com\nnote: call after {hour}\n\nGive phone and mail as "
            '{{"phone": "", "mail": ""}}.'
        ),
        (
            'Fill in the form {{"from": "", "to": "", "seats": 0}} from: "We are {few}, we leave {city} on the {k}th and are '
            'in {country} by {hour}, says {name}."'
        ),
        (
            'Which of these keys are missing: id, {word}, amount? {{"id": {n}, "{thing}": "{name}", "total": {m}}} Say it as a JSON '
            "list."
        ),
        (
            'Pull out the dosage, the drug and the frequency as JSON. "Patient {name} {surname}, {n} years: {m} mg of {word}ol every '
            '{few} hours for {k} days."'
        ),
        (
            "Here is a table:\n| {thing} | price | stock |\n|---|---|---|\n| {word} | {n} | {k} |\n| {verb} | {m} | {few} |\n"
            "Return the row with the higher price as JSON."
        ),
    ),
    "common sense": (
        "Where would {name} most likely put a {thing} after using it in the kitchen?",
        "If you want to keep {things} dry on a trip to {city}, what should you use?",
        "{name} lent the {thing} to {other} because _ had lost the old one. Who had lost it?",
        "Why would a person from {city} carry a {thing} to a game of {sport}?",
        "What is most likely to happen when a {thing} is left in the sun for {few} days?",
        "Is it plausible that {name} ate {n} {things} before breakfast in {city}?",
        "Which is heavier, a {thing} or {few} {things}, and why?",
        "A {thing} falls from a table in {name}'s house. What happens next?\nA. It flies\nB. It breaks\nC. It melts\nD. It sings",
        "What do people who play {sport} usually bring along, a {thing} or {things}?",
        "{other} is angry with {name} about the {thing}. What should {name} do first?",
        "Which of the following best explains why {things} float in {city} but not in {country}: water, weight, or wind?",
        "When {name} hears thunder in {city}, what should {name} do with the {thing}?",
        "Would {other} rather use a {thing} or a {word} to open a letter?",
    ),
}
"""By topic; every topic has at least twelve."""
