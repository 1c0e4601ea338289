"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const d = data.decisions, count = d.id.length;
  const main = document.getElementById("main"), tip = document.getElementById("tip");

  // Elements are made, never written as markup: what a question or a model says is text and stays text.
  function el(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    for (const child of children.flat()) if (child != null) made.append(child);
    return made;
  }
  function svg(tag, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) if (value != null) made.setAttribute(name, value);
    for (const child of children.flat()) if (child != null) made.append(child);
    return made;
  }
  const mean = (values) => values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
  const percent = (value) => value == null ? "–" : `${(100 * value).toFixed(1)} %`;
  const fixed = (value, digits = 3) => value == null ? "–" : value.toFixed(digits);
  function quantity(value) {
    if (value == null) return "–";
    if (data.unit === "$") return `$${value.toPrecision(3)}`;
    for (const [power, unit] of [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
      if (Math.abs(value) >= power) return `${(value / power).toPrecision(3)} ${unit}`;
    return value.toPrecision(3);
  }
  const time = (at) => new Date(1000 * at).toISOString().replace("T", " ").slice(0, 19);
  const colour = (index) => `var(--c${index < 8 ? index : 8})`;
  const models = [...new Set(data.configurations.map((each) => each.model))];
  const indices = [...Array(count).keys()];
  const judged = indices.filter((i) => d.correct[i] != null);
  // Who only asks the engine to decide, such as a router, never tells it what came of that.
  const unknown = new Set(d.unknown), done = (i) => !d.failed[i] && !unknown.has(i);
  const answered = indices.filter(done);
  const unit = data.unit === "$" ? "dollars" : "eFLOPs", otherUnit = data.unit === "$" ? "eFLOPs" : "dollars";
  const priced = (some) => some.filter((i) => d.cost[i] != null);
  const meanCost = (some) => mean(priced(some).map((i) => d.cost[i]));

  function tell(target, text) {
    target.setAttribute("role", "img");
    target.setAttribute("aria-label", text);
    const show = (event) => {
      tip.textContent = text;
      tip.hidden = false;
      const box = target.getBoundingClientRect();
      const x = event.clientX ?? box.x, y = event.clientY ?? box.y;
      tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
      tip.style.top = `${Math.max(4, y - tip.offsetHeight - 10)}px`;
    };
    target.addEventListener("pointermove", show);
    target.addEventListener("focus", show);
    for (const name of ["pointerleave", "blur"]) target.addEventListener(name, () => { tip.hidden = true; });
  }

  function ticks(low, high, wanted = 5) {
    const raw = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((each) => each * power >= raw) * power;
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(value);
    return found;
  }

  // A frame with both axes; `x` and `y` go from values to places.
  // Drawn in the pixels that there are, so that its words are as large on a phone as on a wide screen.
  function frame(label, [x0, x1], [y0, y1], { height = 220, columns = 1, log = false, formatX = String, formatY = (v) => v.toFixed(2), nameX = "" } = {}) {
    const room = main.clientWidth - 32, beside = room > 700 ? columns : 1;
    const width = Math.max(260, room / beside - 38), left = 48, right = 14, top = 10, bottom = 42;
    const scale = log ? Math.log10 : (value) => value;
    const spanX = scale(x1) - scale(x0) || 1, spanY = y1 - y0 || 1;
    const x = (value) => left + (scale(value) - scale(x0)) / spanX * (width - left - right);
    const y = (value) => height - bottom - (value - y0) / spanY * (height - top - bottom);
    const chart = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    for (const value of ticks(y0, y1)) {
      chart.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, formatY(value)));
    }
    const marks = log ? [...Array(40).keys()].flatMap((k) => [1, 2, 5].map((m) => m * 10 ** (k - 12))).filter((v) => v >= x0 && v <= x1) : ticks(x0, x1, 5);
    let last = -Infinity;
    for (const value of marks) {
      if (x(value) - last < 46) continue;
      last = x(value);
      chart.append(svg("text", { x: last, y: height - bottom + 17, "text-anchor": "middle" }, formatX(value)));
    }
    if (nameX) chart.append(svg("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, nameX));
    return { chart, x, y, width, height, left, right, bottom, top };
  }

  // Running means of some values over a window of decisions.
  function running(places, values, window) {
    const points = [];
    let sum = 0;
    for (let k = 0; k < places.length; k++) {
      sum += values[k];
      if (k >= window) sum -= values[k - window];
      const size = Math.min(k + 1, window);
      if (size >= Math.min(window, 10)) points.push([places[k], sum / size]);
    }
    const most = 400, stride = Math.max(1, Math.ceil(points.length / most));
    return points.filter((_, k) => k % stride === 0 || k === points.length - 1);
  }

  function curve(title, hint, places, values, format, index) {
    const window = Math.max(20, Math.round(places.length / 25));
    const points = running(places, values, window);
    if (points.length < 2) return el("section", { class: "card" }, el("h2", {}, title), el("p", { class: "empty" }, "Too few decisions yet."));
    const ys = points.map((point) => point[1]);
    const low = Math.min(...ys), high = Math.max(...ys), room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 0.1;
    const f = frame(`${title}: ${format(ys[0])} at first, ${format(ys.at(-1))} at last`, [points[0][0], points.at(-1)[0] + 1], [low - room, high + room],
      { columns: 2, formatY: format, nameX: "decision" });
    f.chart.append(svg("path", { class: "line", stroke: colour(index), d: points.map(([px, py], k) => `${k ? "L" : "M"}${f.x(px).toFixed(1)} ${f.y(py).toFixed(1)}`).join("") }));
    const dot = svg("circle", { class: "dot", r: 5, fill: colour(index), cx: f.x(points.at(-1)[0]), cy: f.y(ys.at(-1)) });
    f.chart.append(dot);
    f.chart.addEventListener("pointermove", (event) => {
      const box = f.chart.getBoundingClientRect(), at = (event.clientX - box.x) / box.width * f.width;
      const near = points.reduce((best, point) => Math.abs(f.x(point[0]) - at) < Math.abs(f.x(best[0]) - at) ? point : best);
      dot.setAttribute("cx", f.x(near[0]));
      dot.setAttribute("cy", f.y(near[1]));
      tip.textContent = `decision ${near[0] + 1}\n${format(near[1])}`;
      tip.hidden = false;
      tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${event.clientY - tip.offsetHeight - 10}px`;
    });
    f.chart.addEventListener("pointerleave", () => { tip.hidden = true; });
    return el("section", { class: "card" }, el("h2", {}, title), el("p", { class: "soft" }, `${hint}; means over ${window}`), f.chart);
  }

  function legend(names) {
    return el("ul", { class: "legend" }, names.map((name, index) => {
      const mark = el("i");
      mark.style.background = colour(index);
      return el("li", {}, mark, name);
    }));
  }

  function table(columns, rows) {
    return el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, columns.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, k) => el("td", { class: columns[k][1] }, cell)))))));
  }

  function overview() {
    const tile = (value, name) => el("div", { class: "tile" }, el("b", { class: "num" }, value), el("span", {}, name));
    const rewarded = judged.filter((i) => d.reward[i] != null);
    return [
      el("div", { class: "tiles" },
        tile(String(count), "decisions"), tile(String(judged.length), data.judged && data.judged.judged_share != null ? `judged, ${percent(data.judged.judged_share)} of answers` : "judged"),
        tile(percent(mean(judged.map((i) => d.correct[i]))), "right, of those judged"),
        tile(fixed(mean(rewarded.map((i) => d.reward[i]))), "reward"),
        tile(quantity(meanCost(answered)), `${unit} a question`),
        tile(`${fixed(mean(answered.map((i) => d.seconds[i])), 2)} s`, "a question"),
        tile(String(count - answered.length - unknown.size), "failed"),
        unknown.size ? tile(String(unknown.size), "only decided") : null),
      data.judged && data.judged.warning ? el("p", { class: "warning", role: "note" }, `Warning: ${data.judged.warning}.`) : null,
      data.other_unit ? el("p", { class: "soft" }, `${data.other_unit} decisions counted ${otherUnit}, and have no place where costs are shown.`) : null,
      el("div", { class: "grid" },
        curve("Reward", "by what each request was after: weights of correctness, score and cost, or the value of a right answer less its cost", rewarded, rewarded.map((i) => d.reward[i]), (v) => v.toFixed(3), 0),
        curve("Accuracy", "share of right answers, of those judged", judged, judged.map((i) => d.correct[i]), (v) => `${(100 * v).toFixed(0)} %`, 2),
        curve("Cost", `${unit} a question`, priced(answered), priced(answered).map((i) => d.cost[i]), quantity, 1),
        curve("Score", "the verifier's value of the answer", answered.filter((i) => d.score[i] != null), answered.filter((i) => d.score[i] != null).map((i) => d.score[i]), (v) => v.toFixed(2), 3)),
    ];
  }

  const summaries = data.configurations.map((each, c) => {
    const own = indices.filter((i) => d.configuration[i] === c);
    const told = own.filter((i) => d.correct[i] != null), answers = own.filter(done);
    return { ...each, own: own.length, told: told.length, correct: mean(told.map((i) => d.correct[i])),
      score: mean(answers.filter((i) => d.score[i] != null).map((i) => d.score[i])), cost: meanCost(answers),
      seconds: mean(answers.map((i) => d.seconds[i])), failed: own.filter((i) => d.failed[i]).length };
  });

  function shares() {
    const order = [...summaries.keys()].sort((a, b) => summaries[b].own - summaries[a].own);
    const named = order.slice(0, 8), rank = new Map(named.map((c, k) => [c, k]));
    const bins = Math.min(48, Math.max(1, Math.floor(count / 12))), rows = [...Array(bins)].map(() => Array(named.length + 1).fill(0));
    for (const i of indices) rows[Math.min(bins - 1, Math.floor(i * bins / count))][rank.get(d.configuration[i]) ?? named.length]++;
    const f = frame("Share of the configurations over time", [0, count], [0, 1], { height: 260, formatY: (v) => `${Math.round(100 * v)} %`, nameX: "decision" });
    const sums = rows.map((row) => row.reduce((sum, value) => sum + value, 0) || 1), lower = Array(bins).fill(0);
    for (let k = 0; k <= named.length; k++) {
      const upper = lower.map((value, b) => value + rows[b][k] / sums[b]);
      const at = (b) => f.x((b + 0.5) * count / bins).toFixed(1);
      const path = upper.map((value, b) => `${b ? "L" : "M"}${at(b)} ${f.y(value).toFixed(1)}`).join("")
        + lower.map((value, b) => `L${at(bins - 1 - b)} ${f.y(lower[bins - 1 - b]).toFixed(1)}`).join("") + "Z";
      const area = svg("path", { d: path, fill: colour(k), opacity: 0.85 });
      const name = k < named.length ? summaries[named[k]].name : "others";
      tell(area, `${name}\n${percent(rows.reduce((sum, row) => sum + row[k], 0) / count)} of all`);
      f.chart.append(area);
      upper.forEach((value, b) => { lower[b] = value; });
    }
    const names = named.map((c) => summaries[c].name).concat(order.length > named.length ? ["others"] : []);
    const rowsOf = order.map((c) => {
      const s = summaries[c];
      return [s.name, String(s.own), percent(s.own / count), percent(s.correct), fixed(s.score), quantity(s.cost), `${fixed(s.seconds, 2)} s`, String(s.failed)];
    });
    return [
      el("section", { class: "card" }, el("h2", {}, "What was chosen"), el("p", { class: "soft" }, "Share of the configurations (model, QP, CP, BS) over time"), f.chart, legend(names)),
      el("section", { class: "card" }, el("h2", {}, "Configurations"),
        table([["configuration", "w"], ["decisions", "n"], ["share", "n"], ["right", "n"], ["score", "n"], [unit, "n"], ["time", "n"], ["failed", "n"]], rowsOf)),
    ];
  }

  const FEW = 10;

  function front() {
    const known = summaries.filter((s) => s.correct != null && s.cost > 0);
    if (!known.length) return [el("p", { class: "empty" }, "No decision has been judged and priced yet.")];
    const alone = data.alone, shown = [...known, ...alone];
    const costs = shown.map((s) => s.cost), rights = shown.map((s) => s.correct);
    const low = Math.max(0, Math.min(...rights) - 0.08), high = Math.min(1, Math.max(...rights) + 0.08);
    const f = frame("Accuracy against cost of every configuration", [Math.min(...costs) / 1.5, Math.max(...costs) * 1.5], [low, high],
      { height: 330, log: true, formatX: quantity, formatY: (v) => `${Math.round(100 * v)} %`, nameX: `${unit} a question` });
    // Two judged answers place a model nowhere.
    const plain = known.filter((s) => s.qp * s.cp === 1 && s.told >= FEW).map((s) => ({ ...s, from: `${s.told} judged plain samples` }));
    const single = (alone.length ? alone.map((s) => ({ ...s, from: "measured on the same questions" })) : plain).sort((a, b) => a.cost - b.cost);
    if (single.length > 1)
      f.chart.append(svg("path", { class: "line", stroke: "var(--soft)", "stroke-dasharray": "5 4", d: single.map((s, k) => `${k ? "L" : "M"}${f.x(s.cost)} ${f.y(s.correct)}`).join("") }));
    const most = Math.max(...known.map((s) => s.own));
    for (const s of known) {
      const c = colour(models.indexOf(s.model)), few = s.told < FEW;
      const give = 1.96 * Math.sqrt(Math.max(s.correct * (1 - s.correct), 0.02) / s.told);
      if (!few)
        f.chart.append(svg("line", { x1: f.x(s.cost), x2: f.x(s.cost), y1: f.y(Math.min(high, s.correct + give)), y2: f.y(Math.max(low, s.correct - give)), stroke: c, opacity: 0.6 }));
      const mark = svg("circle", { class: few ? "hollow" : "dot", cx: f.x(s.cost), cy: f.y(s.correct), r: 4 + 11 * Math.sqrt(s.own / most), fill: few ? "none" : c, stroke: few ? c : "none", "fill-opacity": 0.7, "pointer-events": "all", tabindex: 0 });
      tell(mark, `${s.name}\n${percent(s.correct)} right of ${s.told} judged\n${quantity(s.cost)} ${unit}, ${s.own} decisions`);
      f.chart.append(mark);
    }
    for (const s of single) {
      const x = f.x(s.cost), y = f.y(s.correct);
      const mark = svg("path", { class: "alone", d: `M${x - 6} ${y - 6}h12v12h-12Z`, fill: colour(models.indexOf(s.model)), stroke: "var(--ink)", "stroke-width": 1.5, tabindex: 0 });
      tell(mark, `${s.model} alone, one plain sample\n${percent(s.correct)} right, ${quantity(s.cost)} ${unit}\n${s.from}`);
      f.chart.append(mark);
    }
    const all = [meanCost(answered), mean(judged.map((i) => d.correct[i]))];
    const here = svg("path", { d: "M0 -8 2 -2 8 0 2 2 0 8 -2 2 -8 0 -2 -2Z", fill: "var(--ink)", transform: `translate(${f.x(all[0])} ${f.y(all[1])}) scale(1.3)`, tabindex: 0 });
    tell(here, `all decisions together\n${percent(all[1])} right, ${quantity(all[0])} ${unit}`);
    f.chart.append(here);
    return [el("section", { class: "card" }, el("h2", {}, "Quality and cost"),
      el("p", { class: "soft" }, `Every configuration that was judged, with 95 % intervals; larger where it was chosen more often, hollow where fewer than ${FEW} were judged. ${single.length ? "The squares are the models alone, with one plain sample; the" : "The"} star is everything together.`),
      f.chart, legend(models))];
  }

  function beliefs() {
    const b = data.beliefs;
    if (!b.rows) return [el("p", { class: "empty" }, b.why)];
    const bar = (value, width, c) => {
      const inside = el("i"), whisker = el("u"), at = Math.max(0, Math.min(1, value));
      inside.style.width = `${100 * at}%`;
      inside.style.background = colour(c);
      whisker.style.left = `${100 * Math.max(0, value - width)}%`;
      whisker.style.width = `${100 * (Math.min(1, value + width) - Math.max(0, value - width))}%`;
      return el("div", {}, el("div", { class: "bar", role: "img", "aria-label": `${value.toFixed(3)}, give or take ${width.toFixed(3)}` }, inside, whisker), el("span", { class: "num soft" }, `${value.toFixed(3)} ± ${width.toFixed(3)}`));
    };
    return [el("section", { class: "card" }, el("h2", {}, "What the policy believes"),
      el("p", { class: "soft" }, `Of the average question so far: what it expects of each configuration, and how wide of the mark that may be (the width times ${b.alpha}). Cost is between the cheapest and the dearest, on a log scale.`),
      table([["configuration", "w"], ["correct", ""], ["score", ""], ["cost", ""], ["seen", "n"]],
        b.rows.map((row) => [data.configurations[row.configuration].name, bar(row.correct, row.correct_width, 2), bar(row.score, row.width, 3), bar(row.cost, row.width, 1), String(summaries[row.configuration].own)])))];
  }

  function drift() {
    const blocks = Math.min(12, Math.floor(judged.length / 15));
    if (blocks < 2) return [el("p", { class: "empty" }, "Too few decisions have been judged to see a drift.")];
    const f = frame("Accuracy of every model over time", [0, count], [0, 1], { height: 300, formatY: (v) => `${Math.round(100 * v)} %`, nameX: "decision" });
    models.forEach((model, m) => {
      const points = [];
      for (let b = 0; b < blocks; b++) {
        const part = judged.slice(Math.floor(b * judged.length / blocks), Math.floor((b + 1) * judged.length / blocks));
        const own = part.filter((i) => data.configurations[d.configuration[i]].model === model);
        if (own.length < 5) continue;
        const right = mean(own.map((i) => d.correct[i])), give = 1.96 * Math.sqrt(Math.max(right * (1 - right), 0.02) / own.length);
        points.push([part[Math.floor(part.length / 2)], right, give, own.length]);
      }
      f.chart.append(svg("path", { class: "line", stroke: colour(m), d: points.map(([px, py], k) => `${k ? "L" : "M"}${f.x(px)} ${f.y(py)}`).join("") }));
      for (const [px, py, give, size] of points) {
        f.chart.append(svg("line", { x1: f.x(px), x2: f.x(px), y1: f.y(Math.min(1, py + give)), y2: f.y(Math.max(0, py - give)), stroke: colour(m), opacity: 0.6 }));
        const dot = svg("circle", { class: "dot", r: 5, cx: f.x(px), cy: f.y(py), fill: colour(m), tabindex: 0 });
        tell(dot, `${model}\n${percent(py)} ± ${percent(give)} of ${size} judged`);
        f.chart.append(dot);
      }
    });
    for (const at of data.changes)
      f.chart.append(svg("line", { x1: f.x(at), x2: f.x(at), y1: f.top, y2: f.height - f.bottom, stroke: "var(--bad)", "stroke-dasharray": "3 3" }));
    const noticed = data.changes.length ? `The policy noticed a change ${data.changes.length === 1 ? "once" : `${data.changes.length} times`} and forgot nearly all (red).` : "The policy has noticed no change.";
    return [el("section", { class: "card" }, el("h2", {}, "Drift"), el("p", { class: "soft" }, `Accuracy of every model, whatever its search, with 95 % intervals. ${noticed}`), f.chart, legend(models))];
  }

  // Decisions: filters, pages, and the detail of one.
  const state = { text: "", model: "", came: "", tree: false, page: 0, open: null };
  const SIZE = 50;

  function outcome(i) {
    if (d.failed[i]) return el("span", { class: "badge bad" }, "failed");
    if (d.correct[i] == null) return el("span", { class: "badge soft" }, "not judged");
    const kind = d.correct[i] >= 0.5 ? "good" : "bad";
    return el("span", { class: `badge ${kind}` }, d.correct[i] === 1 ? "right" : d.correct[i] === 0 ? "wrong" : fixed(d.correct[i], 2));
  }

  function chosen() {
    const text = state.text.toLowerCase();
    return indices.filter((i) => {
      const configuration = data.configurations[d.configuration[i]];
      if (state.model && configuration.model !== state.model) return false;
      if (state.tree && !(i in data.trees)) return false;
      if (state.came === "right" && !(d.correct[i] >= 0.5)) return false;
      if (state.came === "wrong" && !(d.correct[i] != null && d.correct[i] < 0.5)) return false;
      if (state.came === "open" && (d.correct[i] != null || d.failed[i])) return false;
      if (state.came === "failed" && !d.failed[i]) return false;
      return !text || d.id[i].startsWith(text) || (d.query[i] ?? "").toLowerCase().includes(text) || configuration.name.toLowerCase().includes(text);
    }).reverse();
  }

  function decisions() {
    const body = el("div", { id: "list" });
    const field = (name, input) => el("label", {}, name, input);
    const change = (name) => (event) => {
      state[name] = event.target.type === "checkbox" ? event.target.checked : event.target.value;
      state.page = 0;
      list(body);
    };
    const options = (pairs, value) => pairs.map(([key, name]) => el("option", { value: key, selected: key === value }, name));
    const checkbox = el("input", { type: "checkbox", id: "with-tree", onchange: change("tree") });
    checkbox.checked = state.tree;
    const filters = el("div", { class: "filters" },
      field("question, configuration or id", el("input", { type: "search", id: "filter-text", value: state.text, oninput: change("text") })),
      field("model", el("select", { id: "filter-model", onchange: change("model") }, options([["", "all"], ...models.map((m) => [m, m])], state.model))),
      field("came out", el("select", { id: "filter-came", onchange: change("came") }, options([["", "all"], ["right", "right"], ["wrong", "wrong"], ["open", "not judged"], ["failed", "failed"]], state.came))),
      el("label", { class: "check" }, checkbox, "with its paths"));
    list(body);
    return [el("section", { class: "card" }, el("h2", {}, "Decisions"), filters, body)];
  }

  function list(body) {
    const found = chosen(), pages = Math.max(1, Math.ceil(found.length / SIZE));
    state.page = Math.min(state.page, pages - 1);
    const part = found.slice(state.page * SIZE, (state.page + 1) * SIZE);
    const rows = part.flatMap((i) => {
      const open = state.open === i;
      const button = el("button", { type: "button", "aria-expanded": String(open), "data-id": d.id[i], onclick: () => {
        state.open = open ? null : i;
        history.replaceState(null, "", `#decisions${open ? "" : `/${d.id[i]}`}`);
        list(body);
        body.querySelector(`[data-id="${d.id[i]}"]`)?.focus();
      } }, d.query[i] ?? `${d.id[i].slice(0, 10)}…`);
      const row = el("tr", { class: open ? "open" : "" }, el("td", { class: "n" }, String(i + 1)), el("td", { class: "q" }, button),
        el("td", { class: "w" }, data.configurations[d.configuration[i]].name), el("td", {}, outcome(i)), el("td", { class: "n" }, fixed(d.score[i])),
        el("td", { class: "n" }, quantity(d.cost[i])), el("td", { class: "n" }, time(d.at[i])));
      return open ? [row, el("tr", { class: "open" }, el("td", { colspan: 7 }, detail(i)))] : [row];
    });
    const head = [["", "n"], ["question", ""], ["configuration", ""], ["came out", ""], ["score", "n"], [unit, "n"], ["when (UTC)", "n"]];
    const turn = (by, name) => el("button", { type: "button", disabled: by < 0 ? !state.page : state.page >= pages - 1, onclick: () => { state.page += by; list(body); } }, name);
    body.replaceChildren(
      rows.length ? el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, head.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name)))), el("tbody", {}, rows))) : el("p", { class: "empty" }, "No decision is like that."),
      el("div", { class: "pages" }, turn(-1, "Newer"), turn(1, "Older"), el("span", { class: "soft", id: "found", "aria-live": "polite" }, `${found.length} of ${count}, page ${state.page + 1} of ${pages}`)));
  }

  function detail(i) {
    const parts = [];
    const objective = data.objectives[d.objective[i]];
    parts.push(el("p", { class: "soft" }, `decision ${d.id[i]}${d.round[i] ? `, try ${d.round[i] + 1} of its request` : ""}; ${objective}; took ${fixed(d.seconds[i], 2)} s; reward ${fixed(d.reward[i])}`));
    if (data.rounds?.[i]) parts.push(...rounds(data.rounds[i], i));
    if (d.failed[i]) parts.push(el("p", { class: "bad" }, d.failed[i]));
    if (unknown.has(i)) parts.push(el("p", { class: "soft" }, "The log does not say what came of it: it was decided without being run here, or is still under way."));
    if (data.feedback[i]) {
      parts.push(el("h3", {}, "Feedback"), table([["from", ""], ["about", ""], ["correct", "n"], ["comment", ""], ["when (UTC)", "n"]],
        data.feedback[i].map(([source, key, correct, comment, at]) => [source, key, fixed(correct, 2), comment, time(at)])));
    }
    const kept = data.trees[i];
    if (!kept) {
      parts.push(el("p", { class: "empty" }, data.trees_why));
      return el("div", {}, parts);
    }
    for (const note of kept.notes ?? []) parts.push(el("p", { class: "warn" }, note));
    const record = kept.record;
    parts.push(el("h3", {}, "Vote"), table([["tree", "n"], ["answer", ""], ["value", "n"], ["", ""]],
      record.votes.map((vote) => [String(vote.tree), vote.answer ?? "none", fixed(vote.value), record.chosen && vote.tree === record.chosen[0] ? el("span", { class: "badge good" }, "won") : ""])));
    parts.push(el("h3", {}, "Paths"), tree(record));
    if (kept.ledger) {
      const rows = [...Object.entries(kept.ledger.by_role), ...Object.entries(kept.ledger.by_fate)];
      parts.push(el("h3", {}, "Ledger"), table([["spent by, and on paths that were", ""], [unit, "n"], ["tokens read", "n"], ["tokens sampled", "n"]],
        rows.map(([name, spent]) => [name, quantity(data.unit === "$" ? spent.usd : spent.eflops), String(spent.prompt_tokens), String(spent.completion_tokens)])));
    }
    return el("div", {}, parts);
  }

  function rounds(request, i) {
    const rows = request.places.map((place, number) => [
      String(number + 1), data.configurations[d.configuration[place]].name, fixed(d.score[place]), fixed(request.beliefs[number], 2), quantity(d.cost[place]),
      d.failed[place] ? el("span", { class: "badge bad" }, "failed") : place === request.kept ? el("span", { class: "badge good" }, "the answer") : "",
      place === i ? "shown here" : el("a", { href: `#decisions/${d.id[place]}` }, "show")]);
    const shown = [el("h3", {}, "Rounds of this request"),
      table([["round", "n"], ["configuration", ""], ["score", "n"], ["believed right", "n"], [unit, "n"], ["", ""], ["", ""]], rows)];
    if (request.stop) {
      const on = request.stop.going_on;
      shown.push(el("p", { class: "soft" }, `Stopped: to give this answer was worth ${fixed(request.stop.reward)}${on == null ? ", and nobody else could be asked" : `, to go on at most ${fixed(on)}`}.`));
    } else if (request.kept != null) shown.push(el("p", { class: "soft" }, "It was not asked further: no round, budget or time was left, or nobody to ask."));
    return shown;
  }

  const FATES = { finished: "good", pruned: "bad", failed: "bad", outranked: "warn", cancelled: "warn", truncated: "warn" };

  function tree(record) {
    const roots = new Map(), lists = new Map();
    const won = record.chosen ? record.chosen.join(".") : null;
    for (const path of record.paths) {
      const key = [path.tree, ...path.lineage].join(".");
      if (!roots.has(path.tree)) {
        const inside = el("ul");
        roots.set(path.tree, el("li", {}, el("details", { open: true }, el("summary", {}, `tree ${path.tree}`), inside)));
        lists.set(String(path.tree), inside);
      }
      if (!path.lineage.length) {
        if (path.reason) lists.get(key).append(el("li", {}, el("span", { class: "meta" }, `never started: ${path.reason}`)));
        continue;
      }
      if (path.fate === "duplicate") continue;
      const scores = (path.scores ?? []).map((score) => score.toFixed(3)).join(" ");
      const said = path.fate === "expanded" || path.fate === "alive" ? "" : path.fate;
      const node = el("li", { class: key === won ? "won" : said && said !== "finished" ? "gone" : "" },
        el("span", { class: "step" }, path.steps.join("").trim() || "(nothing more)"),
        el("span", { class: "meta num" }, scores, path.count > 1 ? `  ×${path.count}` : "", path.fate === "finished" && path.value != null ? `  V=${path.value.toFixed(3)}` : ""),
        said ? el("span", { class: `badge ${FATES[said] ?? "soft"} meta` }, key === won ? "the answer" : said) : null,
        path.reason ? el("span", { class: "meta" }, path.reason) : null);
      const inside = el("ul");
      node.append(inside);
      lists.set(key, inside);
      (lists.get([path.tree, ...path.lineage.slice(0, -1)].join(".")) ?? lists.get(String(path.tree))).append(node);
    }
    for (const inside of lists.values()) if (!inside.children.length) inside.remove();
    return el("ul", { class: "tree" }, [...roots.values()]);
  }

  // Views as tabs.
  const views = [["overview", "Overview", overview], ["configurations", "Configurations", shares], ["front", "Quality and cost", front],
    ["beliefs", "Beliefs", beliefs], ["drift", "Drift", drift], ["decisions", "Decisions", decisions]];
  const tabs = document.getElementById("tabs");

  function show(name, focus) {
    const [key, , draw] = views.find((view) => view[0] === name) ?? views[0];
    for (const button of tabs.children) {
      const selected = button.id === `tab-${key}`;
      button.setAttribute("aria-selected", String(selected));
      button.tabIndex = selected ? 0 : -1;
      if (selected && focus) button.focus();
    }
    tip.hidden = true;
    main.replaceChildren(el("div", { role: "tabpanel", id: `view-${key}`, "aria-labelledby": `tab-${key}` }, count ? draw() : el("p", { class: "empty" }, "The log holds no decision yet.")));
    if (location.hash.split("/")[0] !== `#${key}`) history.replaceState(null, "", `#${key}`);
  }

  views.forEach(([key, name], place) => {
    tabs.append(el("button", { role: "tab", id: `tab-${key}`, type: "button", onclick: () => show(key), onkeydown: (event) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: views.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); show(views[(to + views.length) % views.length][0], true); }
    } }, name));
  });

  function fromHash() {
    const [key, id] = location.hash.slice(1).split("/");
    if (key === "main" && main.hasChildNodes()) return;
    if (id) {
      const place = d.id.indexOf(id);
      if (place >= 0) { Object.assign(state, { text: "", model: "", came: "", tree: false, open: place, page: Math.floor((count - 1 - place) / SIZE) }); }
    }
    show(key);
  }

  const root = document.documentElement, toggle = document.getElementById("theme");
  function paint(theme) {
    root.dataset.theme = theme;
    toggle.textContent = theme === "dark" ? "Light" : "Dark";
  }
  paint(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  toggle.addEventListener("click", () => paint(root.dataset.theme === "dark" ? "light" : "dark"));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") tip.hidden = true;
  });

  document.getElementById("source").textContent = `${data.log}; ${count ? `${time(d.at[0])} to ${time(d.at.at(-1))} UTC; ` : ""}made ${data.made.slice(0, 16).replace("T", " ")} UTC`;
  let width = innerWidth, waiting;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(fromHash, 150);
  });
  addEventListener("hashchange", fromHash);
  fromHash();
})();
