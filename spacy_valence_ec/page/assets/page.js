"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const narratives = read("narrative-data");
  const settings = read("setting-data");
  const { lang, words, valences } = settings;
  const PAGE_SIZE = 25;
  const MOST_PRINTED = 200; // narratives: a browser lays more out for minutes
  const MOST_MARKS = 150; // in an arc; more would be one smear
  const TICK_WIDTH = 84; // of a date below a line
  const MOST_JOINED = 40; // narratives that a line joins one by one
  const SIGNS = { negative: "−", neutral: "·", positive: "+", mixed: "±" };
  const byId = (id) => document.getElementById(id);

  // --- Elements, words and figures -------------------------------------------------------------

  function fill(parent, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) parent.addEventListener(name.slice(2), value);
      else if (name.startsWith("--")) parent.style.setProperty(name, value);
      else parent.setAttribute(name, value === true ? "" : value);
    }
    parent.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return parent;
  }
  const el = (name, attributes, ...children) =>
    fill(document.createElement(name), attributes, children);
  const svg = (name, attributes, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
  const say = (key, values) =>
    words[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

  const signed = new Intl.NumberFormat(lang, {
    minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero",
  });
  const decimal = new Intl.NumberFormat(lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const percent = new Intl.NumberFormat(lang, { style: "percent", maximumFractionDigits: 0 });
  const whole = new Intl.NumberFormat(lang);
  const polarity = (x) => signed.format(x).replace("-", "−");
  const interval = (mean, format) =>
    mean.low === null ? "" : `[${format(mean.low)}; ${format(mean.high)}]`;

  const day = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeZone: "UTC" });
  const month = new Intl.DateTimeFormat(lang, { month: "short", year: "numeric", timeZone: "UTC" });
  const timeOf = (n) => (n.when === null ? null : Date.parse(n.when + "Z"));
  const dateText = (n) => {
    if (n.date === null) return "";
    // A bare year or month stays as it is written: it names no day.
    return n.when === null || n.date.length < 10 ? n.date : day.format(timeOf(n));
  };
  const personText = (name) => (name === null ? words.nobody : name);

  // Control characters as pictures of them: a browser shows nothing, or half a page in one line.
  const shown = (text) =>
    text
      .replace(/\r\n?/g, "\n")
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (c) =>
        String.fromCharCode(0x2400 + c.charCodeAt(0)))
      .replace(/\u007f/g, "\u2421");
  const isolated = (text) => el("bdi", {}, shown(text));
  const fold = (text) =>
    text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/\s+/g, " ");

  const label = (valence) =>
    valence
      ? el("span", { class: `label ${valence}` },
          el("span", { "aria-hidden": "true" }, SIGNS[valence] + " "), words[valence])
      : el("span", {}, words.unknown);

  // --- A narrative -----------------------------------------------------------------------------

  /** Text from `start` to `end`, with the carriers in it marked. */
  function marked(n, start, end) {
    const parts = [];
    let at = start;
    for (const [from, to] of n.carriers) {
      const a = Math.max(from, at), b = Math.min(to, end);
      if (a >= b) continue;
      parts.push(shown(n.text.slice(at, a)));
      parts.push(el("mark", { class: "carrier" },
        el("span", { class: "hidden" }, `[${words.carrier}] `), shown(n.text.slice(a, b))));
      at = b;
    }
    parts.push(shown(n.text.slice(at, end)));
    return parts;
  }

  const isDoubtful = (unit) => unit[5] !== null && unit[5] < settings.doubtMargin;
  /** From 0, for a probability of a third, to 1. */
  const strength = (unit) => (unit[3] ? Math.max(0, (unit[3][unit[2]] - 1 / 3) * 1.5) : 1);

  function unitElement(n, i, attributes) {
    const unit = n.units[i];
    const valence = valences[unit[2]];
    const doubtful = isDoubtful(unit);
    const spoken = words[valence] + (doubtful ? `, ${words.doubtful}` : "") + ": ";
    return el("span", {
      class: `unit ${valence}${doubtful ? " doubtful" : ""}`,
      "--strength": strength(unit).toFixed(2), ...attributes,
    }, el("span", { class: "hidden" }, spoken), marked(n, unit[0], unit[1]));
  }

  function textElement(n, unitAttributes) {
    const parts = [];
    let at = 0;
    n.units.forEach((unit, i) => {
      if (unit[0] > at) parts.push(...marked(n, at, unit[0]));
      parts.push(unitElement(n, i, unitAttributes(i)));
      at = Math.max(at, unit[1]);
    });
    parts.push(...marked(n, at, n.text.length));
    return el("div", { class: "text", lang: n.lang, dir: "auto" }, parts);
  }

  /** A mark that says its valence by its form too: a triangle up or down, a ring, a square. */
  function mark(x, y, valence, size, attributes) {
    const s = size;
    const options = { class: `mark ${valence || "neutral"}`, ...attributes };
    if (valence === "positive") return svg("path", { d: `M${x} ${y - s}l${s} ${1.8 * s}h${-2 * s}z`, ...options });
    if (valence === "negative") return svg("path", { d: `M${x} ${y + s}l${s} ${-1.8 * s}h${-2 * s}z`, ...options });
    if (valence === "mixed") return svg("rect", { x: x - s * 0.8, y: y - s * 0.8, width: s * 1.6, height: s * 1.6, ...options });
    options.class += " hollow";
    return svg("circle", { cx: x, cy: y, r: s * 0.8, ...options });
  }

  function scale(left, right, y, values) {
    return values.map((value) => [
      svg("line", { class: value === 0 ? "zero" : "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value === 0 ? "0" : (value > 0 ? "+" : "−") + Math.abs(value)),
    ]);
  }
  const joined = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");

  function arc(n, width) {
    const height = 120, left = 30, right = width - 10;
    const y = (p) => 12 + (1 - p) * 48;
    const values = n.units.map((unit) => unit[4]);
    const x = (i) => (values.length === 1 ? (left + right) / 2 : left + 10 + (i * (right - left - 20)) / (values.length - 1));
    const low = values.reduce((best, v, i) => (v < values[best] ? i : best), 0);
    const high = values.reduce((best, v, i) => (v > values[best] ? i : best), 0);
    const spoken = say("arc_label", {
      n: values.length, first: polarity(values[0]), last: polarity(values[values.length - 1]),
      low: polarity(values[low]), low_at: low + 1, high: polarity(values[high]), high_at: high + 1,
    });
    const marks = values.length > MOST_MARKS ? [] : n.units.map((unit, i) =>
      mark(x(i), y(unit[4]), valences[unit[2]], 5, { "data-unit": i }));
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": spoken },
      scale(left, right, y, [-1, 0, 1]),
      svg("polyline", { class: "path", points: joined(values.map((v, i) => [x(i), y(v)])) }), marks,
      svg("circle", { class: "ring", r: 9, cx: -99, cy: -99 }));
    drawing.place = (i) => {
      drawing.lastChild.setAttribute("cx", i === null ? -99 : x(i));
      drawing.lastChild.setAttribute("cy", i === null ? -99 : y(values[i]));
    };
    return drawing;
  }

  function about(n) {
    const parts = [el("span", {}, isolated(personText(n.narrator)))];
    if (n.date !== null) parts.push(el("span", {}, isolated(dateText(n))));
    parts.push(label(n.valence));
    if (n.score !== null) parts.push(el("span", {}, `${words.score} ${polarity(n.score)}`));
    if (n.units.length) parts.push(el("span", {}, say("doubtful_units", { n: n.doubtful, total: n.units.length })));
    return el("p", { class: "about" }, parts.map((part) => [part, " "]));
  }

  const remark = (n) =>
    !n.units.length ? el("p", { class: "note" }, words.no_units)
      : n.units.some((unit) => unit[3]) ? null : el("p", { class: "note" }, words.no_scores);

  function legend() {
    const sample = (valence, more) => el("span", { class: `unit ${valence}${more}`, "--strength": 1 }, words[valence]);
    return el("ul", { class: "legend", "aria-label": words.legend },
      valences.map((valence) => el("li", {}, sample(valence, ""))),
      el("li", {}, el("span", { class: "unit neutral doubtful" }, " "), " ", words.legend_doubtful),
      el("li", {}, el("mark", { class: "carrier" }, words.legend_carrier)));
  }

  function unitDetail(n, i) {
    const unit = n.units[i];
    const parts = [el("p", {}, el("strong", {}, say("unit_of", { i: i + 1, n: n.units.length })), " ",
      label(valences[unit[2]]), isDoubtful(unit) ? [" ", el("span", { class: "tag" }, `? ${words.doubtful}`)] : null,
      unit[5] === null ? null : [" ", el("span", { class: "note" }, say("margin", { margin: decimal.format(unit[5]) }))])];
    if (unit[3]) {
      parts.push(el("table", {}, el("tbody", {}, valences.map((valence, k) =>
        el("tr", { class: valence }, el("th", { scope: "row" }, `${SIGNS[valence]} ${words[valence]}`),
          el("td", {}, el("span", { class: "bar", "aria-hidden": "true" }, el("span", { "--share": unit[3][k] }))),
          el("td", { class: "number" }, decimal.format(unit[3][k])))))));
    }
    const held = n.carriers.filter(([from]) => unit[0] <= from && from < unit[1]);
    if (held.length) {
      parts.push(el("p", { class: "note" }, `${words.carriers}: `, held.map(([from, to, score], k) => [
        k ? ", " : "", el("q", { lang: n.lang }, isolated(n.text.slice(from, to))),
        score === null ? "" : ` (${decimal.format(score)})`])));
    }
    return parts;
  }

  /** A table that may be wider than the page: a region that the keyboard can scroll. */
  const wideTable = (title, ...parts) =>
    el("div", { class: "scroll", role: "region", "aria-label": title, tabindex: 0 }, el("table", {}, parts));

  /** Filled when it is opened for the first time. */
  function later(title, make) {
    const box = el("details", {}, el("summary", {}, title));
    box.addEventListener("toggle", () => {
      if (box.open && box.childElementCount === 1) box.append(make());
    });
    return box;
  }

  function unitTable(n) {
    const heads = [words.unit, words.text, words.valence, ...valences.map((v) => words[v]), words.carriers];
    return wideTable(words.table,
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, n.units.map((unit, i) => el("tr", {},
        el("th", { scope: "row", class: "number" }, String(i + 1)),
        el("td", { lang: n.lang, dir: "auto" }, shown(n.text.slice(unit[0], unit[1]))),
        el("td", {}, label(valences[unit[2]]), isDoubtful(unit) ? ` (${words.doubtful})` : null),
        valences.map((_, k) => el("td", { class: "number" }, unit[3] ? decimal.format(unit[3][k]) : "")),
        el("td", { lang: n.lang }, n.carriers.filter(([from]) => unit[0] <= from && from < unit[1])
          .map(([from, to], k) => [k ? ", " : "", isolated(n.text.slice(from, to))]))))));
  }

  function fieldList(n) {
    return el("dl", {}, Object.entries(n.extra).map(([name, value]) =>
      [el("dt", {}, isolated(name)), el("dd", {}, isolated(value))]));
  }

  // --- The list of narratives ------------------------------------------------------------------

  const form = byId("filters");
  const controls = form.elements;
  const folded = [];
  let found = [], page = 0, chosen = null, unitAt = null, units = [], drawing = null;

  const keys = {
    order: (i) => i,
    date: (i) => timeOf(narratives[i]),
    person: (i) => narratives[i].narrator,
    score: (i) => narratives[i].score,
    doubt: (i) => (narratives[i].units.length ? narratives[i].doubtful / narratives[i].units.length : null),
  };
  const collator = new Intl.Collator(lang, { numeric: true });

  /** `items` in the order of their keys; what has none comes last in both directions. */
  function sorted(items, key, down) {
    const pairs = items.map((item) => [key(item), item]);
    const compare = (a, b) => (typeof a === "string" ? collator.compare(a, b) : a - b);
    pairs.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return down ? compare(b, a) : compare(a, b);
    });
    return pairs.map(([, item]) => item);
  }

  function matches(i) {
    const n = narratives[i];
    const { person, valence, doubt, from, to } = controls;
    if (person.value !== "" && n.narrator !== personNames[person.value]) return false;
    if (valence.value && n.valence !== valence.value) return false;
    const share = n.units.length ? n.doubtful / n.units.length : 0;
    if (doubt.value === "some" && !n.doubtful) return false;
    if (doubt.value === "third" && share < 1 / 3) return false;
    if (doubt.value === "none" && n.doubtful) return false;
    const date = n.when === null ? "" : n.when.slice(0, 10);
    if (from.value && (!date || date < from.value)) return false;
    if (to.value && (!date || date > to.value)) return false;
    const query = fold(controls.search.value.trim());
    if (!query) return true;
    folded[i] ??= fold(`${n.text}\n${n.id}`);
    return folded[i].includes(query);
  }

  function applyFilters() {
    const matching = narratives.map((_, i) => i).filter(matches);
    found = sorted(matching, keys[controls.sort.value], controls.down.checked);
    page = 0;
    if (!found.includes(chosen)) choose(found[0] ?? null, false);
    for (const head of document.querySelectorAll("#list th")) {
      const active = head.firstElementChild.dataset.sort === controls.sort.value;
      if (active) head.setAttribute("aria-sort", controls.down.checked ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    showList();
  }

  function showList() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
    byId("found").textContent = found.length
      ? say("found", { n: whole.format(found.length), total: whole.format(narratives.length) })
      : words.found_none;
    byId("list").tBodies[0].replaceChildren(
      ...found.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE).map(row));
    byId("list").hidden = !found.length;
    byId("pages").hidden = pages === 1;
    byId("page").textContent = say("page", { page: whole.format(page + 1), pages: whole.format(pages) });
    byId("previous-page").disabled = page === 0;
    byId("next-page").disabled = page === pages - 1;
  }

  function row(i) {
    const n = narratives[i];
    const start = shown(n.text.slice(0, 160)).replace(/\s+/g, " ").trim();
    const person = personText(n.narrator);
    return el("tr", { class: i === chosen ? "chosen" : null, "data-narrative": i },
      el("td", { class: "when" }, isolated(dateText(n))),
      el("td", { class: "who" }, isolated(person)),
      el("td", {},
        el("button", { type: "button", class: "opener", lang: start ? n.lang : null, "aria-current": i === chosen ? "true" : null,
          onclick: () => choose(i, true) }, start ? el("bdi", {}, start) : words.empty_text),
        el("span", { class: "meta" }, isolated(person), " ", isolated(dateText(n)))),
      el("td", { class: "nowrap" }, label(n.valence), " ", n.score === null ? "" : polarity(n.score)),
      el("td", { class: "nowrap" }, n.units.length ? say("doubtful_of", { n: n.doubtful, total: n.units.length }) : ""));
  }

  /** Show a narrative; with `go`, lead there who cannot see it. */
  function choose(i, go) {
    chosen = i;
    unitAt = null;
    if (i !== null && !found.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE).includes(i)) {
      page = Math.max(0, Math.floor(found.indexOf(i) / PAGE_SIZE));
      showList();
    }
    for (const line of byId("list").tBodies[0].rows) {
      const is = Number(line.dataset.narrative) === i;
      line.classList.toggle("chosen", is);
      const opener = line.querySelector(".opener");
      if (is) opener.setAttribute("aria-current", "true");
      else opener.removeAttribute("aria-current");
    }
    showReading();
    if (go) {
      byId("reading").focus({ preventScroll: true });
      byId("reading").scrollTop = 0;
      if (isNarrow()) byId("reading").scrollIntoView({ block: "start" });
    }
  }

  const isNarrow = () => matchMedia("(max-width: 68rem)").matches;

  function showReading() {
    const box = byId("reading");
    if (chosen === null) {
      box.replaceChildren(el("p", { class: "empty", id: "reading-title" }, words.select_narrative));
      return;
    }
    const n = narratives[chosen];
    const at = found.indexOf(chosen);
    const step = (name, other, sign) => el("button", { type: "button", "aria-label": words[name], title: words[name],
      disabled: other === undefined, onclick: () => choose(other, true) }, sign);
    const detail = el("div", { class: "detail", id: "detail", role: "status" }, el("p", { class: "note" }, words.unit_hint));
    const text = textElement(n, (i) => ({ role: "button", tabindex: i ? -1 : 0, "aria-pressed": "false", "aria-controls": "detail", "data-unit": i }));
    units = [...text.querySelectorAll(".unit")];
    text.addEventListener("focusin", (event) => selectUnit(event.target.closest(".unit")));
    text.addEventListener("click", (event) => event.target.closest(".unit")?.focus());
    text.addEventListener("keydown", moveByKey);
    box.replaceChildren(
      el("div", { class: "title" }, el("h3", { id: "reading-title" }, isolated(n.id)),
        el("div", { class: "buttons" },
          el("button", { type: "button", class: "back", onclick: backToList }, words.back),
          step("previous", at < 0 ? undefined : found[at - 1], "←"), step("next", at < 0 ? undefined : found[at + 1], "→"))),
      about(n));
    if (n.units.length) {
      const place = el("figure", { class: "arc" });
      box.append(place);
      drawing = arc(n, Math.max(280, place.clientWidth));
      drawing.addEventListener("click", (event) => {
        const i = event.target.dataset.unit;
        if (i !== undefined) units[i].focus();
      });
      place.append(drawing);
    }
    box.append(remark(n) ?? legend());
    box.append(n.text.trim() ? text : el("p", { class: "empty" }, words.empty_text));
    if (n.units.length) box.append(later(words.table, () => unitTable(n)));
    if (Object.keys(n.extra).length) box.append(later(words.other_fields, () => fieldList(n)));
    if (n.units.length) box.append(detail);
  }

  function selectUnit(unit) {
    if (!unit) return;
    units[unitAt ?? 0]?.setAttribute("tabindex", "-1");
    units[unitAt ?? 0]?.setAttribute("aria-pressed", "false");
    unitAt = Number(unit.dataset.unit);
    unit.setAttribute("tabindex", "0");
    unit.setAttribute("aria-pressed", "true");
    drawing.place(unitAt);
    byId("detail").replaceChildren(...unitDetail(narratives[chosen], unitAt));
  }

  function moveByKey(event) {
    const last = units.length - 1, at = unitAt ?? 0;
    const target = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
    if (target === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    units[Math.min(last, Math.max(0, target))].focus();
  }

  function backToList() {
    const opener = byId("list").querySelector(".opener[aria-current]");
    (opener ?? controls.search).focus();
    (opener ?? form).scrollIntoView({ block: "center" });
  }

  // --- People ----------------------------------------------------------------------------------

  const { overall, people, score_of_people: scoreOfPeople } = settings.people;
  const personNames = people.map((person) => person.narrator);
  let personSort = "name", personDown = false, personAt = null; // null: all together

  const personKeys = {
    name: (person) => person.narrator,
    n: (person) => person.n_narratives,
    score: (person) => person.score && person.score.value,
    doubt: (person) => person.doubtful && person.doubtful.value,
  };

  /** A mean and its interval on the scale from -1 to 1. */
  function whisker(mean) {
    const x = (value) => 6 + ((value + 1) / 2) * 118;
    return svg("svg", { viewBox: "0 0 130 18", width: 130, height: 18, "aria-hidden": "true" },
      svg("line", { class: "grid", x1: x(-1), x2: x(1), y1: 9, y2: 9 }),
      svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 2, y2: 16 }),
      mean.low === null ? null : svg("line", { class: "reach", x1: x(mean.low), x2: x(mean.high), y1: 9, y2: 9 }),
      svg("circle", { class: "mean", cx: x(mean.value), cy: 9, r: 4 }));
  }

  function stack(shares) {
    const named = valences.filter((valence) => shares[valence]);
    if (!named.length) return [];
    return [el("span", { class: "stack", "aria-hidden": "true" },
      named.map((valence) => el("span", { class: valence, "--share": shares[valence].value }))),
    el("span", { class: "stack-figures" }, named.map((v) => `${SIGNS[v]} ${percent.format(shares[v].value)}`).join("  "))];
  }

  function showPeople() {
    const order = sorted(people.map((_, i) => i), (i) => personKeys[personSort](people[i]), personDown);
    const line = (person, i) => el("tr", { class: [i === null ? "total" : "", i === personAt ? "chosen" : ""].join(" ").trim() || null },
      el("td", {}, el("button", { type: "button", class: "opener", "aria-current": i === personAt ? "true" : null,
        onclick: () => choosePerson(i, true) }, i === null ? words.all_people : isolated(personText(person.narrator)))),
      el("td", { class: "number" }, whole.format(person.n_narratives)),
      el("td", {}, person.score ? [whisker(person.score), el("span", { class: "stack-figures" },
        `${polarity(person.score.value)}  ${interval(person.score, polarity)}`)] : ""),
      el("td", { class: "shares-cell" }, stack(person.shares)),
      el("td", { class: "number doubt-cell" }, person.doubtful ? percent.format(person.doubtful.value) : ""));
    byId("people-list").tBodies[0].replaceChildren(line(overall, null), ...order.map((i) => line(people[i], i)));
    for (const head of document.querySelectorAll("#people-list th[scope=col]")) {
      if (head.firstElementChild?.dataset.sort === personSort) head.setAttribute("aria-sort", personDown ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  function choosePerson(i, go) {
    personAt = i;
    byId("people").classList.toggle("one", i !== null); // who is printed alone
    showPeople();
    showFigures();
    if (go) {
      byId("figures").focus({ preventScroll: true });
      byId("figures").scrollTop = 0;
      if (isNarrow()) byId("figures").scrollIntoView({ block: "start" });
    }
  }

  function showFigures() {
    const person = personAt === null ? overall : people[personAt];
    const box = byId("figures");
    const counts = Object.entries(person.valences).filter(([, n]) => n);
    box.replaceChildren(
      el("div", { class: "title" },
        el("h3", { id: "figures-title" }, personAt === null ? words.all_people : isolated(personText(person.narrator))),
        el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => readNarratives("") }, words.read_narratives))),
      el("p", { class: "about" }, el("span", {}, `${words.n_narratives}: ${whole.format(person.n_narratives)}`), " ",
        counts.map(([valence, n]) => [el("span", {}, label(valence), ` ${whole.format(n)}`), " "])));
    const place = el("div", {});
    box.append(el("h4", {}, person.points.some((p) => narratives[p.index].when !== null) ? words.line : words.line_order), place);
    place.append(...line(person, Math.max(300, place.clientWidth)));
    box.append(el("h4", {}, words.figures), meanTable(person),
      el("p", { class: "note" }, words.method, personAt === null && people.length > 1 ? ` ${words.method_overall}` : ""),
      el("h4", {}, words.top_carriers), carrierTables(person),
      el("p", { class: "note" }, say("carrier_note", { n: settings.mostCarriers })));
  }

  function meanTable(person) {
    const rows = [["score_narratives", person.score, polarity]];
    if (personAt === null && people.length > 1) rows.push(["score_people", scoreOfPeople, polarity]);
    for (const valence of valences) rows.push([`share_${valence}`, person.shares[valence], percent.format]);
    rows.push(["share_doubtful", person.doubtful, percent.format]);
    return wideTable(words.figures,
      el("thead", {}, el("tr", {}, el("td", {}), ["mean", "interval", "of"].map((key) => el("th", { scope: "col", class: "number" }, words[key])))),
      el("tbody", {}, rows.filter(([, mean]) => mean).map(([key, mean, format]) => el("tr", {},
        el("th", { scope: "row" }, words[key]), el("td", { class: "number" }, format(mean.value)),
        el("td", { class: "number" }, mean.low === null ? words.no_interval : interval(mean, format)),
        el("td", { class: "number" }, whole.format(mean.n))))));
  }

  function carrierTables(person) {
    return el("div", { class: "carriers" }, ["negative", "positive", "neutral"].map((valence) => {
      const list = person.carriers[valence];
      if (!list.length) return valence === "neutral" ? null : el("div", {}, el("p", {}, label(valence), ` ${words.no_carriers}`));
      return el("table", {},
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, label(valence)), el("th", { scope: "col", class: "number" }, words.carrier_times),
          el("th", { scope: "col", class: "number" }, words.carrier_narratives))),
        el("tbody", {}, list.map((carrier) => el("tr", {},
          el("td", {}, el("button", { type: "button", class: "opener", onclick: () => readNarratives(carrier.form) }, isolated(carrier.form))),
          el("td", { class: "number" }, whole.format(carrier.n)), el("td", { class: "number" }, whole.format(carrier.n_narratives))))));
    }));
  }

  function readNarratives(search) {
    form.reset();
    controls.search.value = search;
    controls.person.value = personAt === null ? "" : String(personAt);
    if (hasDates) controls.sort.value = "date";
    applyFilters();
    choose(found[0] ?? null, false);
    location.hash = "narratives";
  }

  function line(person, width) {
    const points = person.points.map((point) => ({ ...point, narrative: narratives[point.index] }));
    if (!points.length) return [el("p", { class: "note" }, words.line_none)];
    const height = 250, left = 34, right = width - 12, bottom = height - 28;
    const y = (value) => 12 + ((1 - value) / 2) * (bottom - 20);
    const dated = points[0].narrative.when !== null;
    const places = points.map((point, i) => (dated ? timeOf(point.narrative) : i + 1));
    const first = places[0], last = places[places.length - 1];
    const x = (place) => (first === last ? (left + right) / 2 : left + 14 + ((place - first) / (last - first)) * (right - left - 28));
    const ticks = dated ? timeTicks(first, last, x) : [first, last].map((i) => [i, whole.format(i)]);
    const isMany = points.length > MOST_JOINED && dated && person.months.length > 1;
    const path = isMany
      ? person.months.map(({ month: name, value }) => [x(Math.min(last, Math.max(first, Date.parse(`${name}-15`)))), y(value)])
      : points.map((point, i) => [x(places[i]), y(point.score)]);
    const scores = points.map((point) => point.score);
    const parts = [
      svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: isMany ? "many" : null,
        "aria-label": say("line_label", { n: points.length, low: polarity(Math.min(...scores)), high: polarity(Math.max(...scores)) }) },
      scale(left, right, y, [-1, -0.5, 0, 0.5, 1]),
      ticks.map(([place, text]) => svg("text", { x: Math.min(right - 34, Math.max(left + 34, x(place))), y: height - 6, "text-anchor": "middle" }, text)),
      points.map((point, i) => svg("line", { class: `whisker ${point.narrative.valence || "neutral"}`, x1: x(places[i]), x2: x(places[i]), y1: y(point.low), y2: y(point.high) })),
      isMany ? null : svg("polyline", { class: "path", points: joined(path) }),
      points.map((point, i) => mark(x(places[i]), y(point.score), point.narrative.valence, isMany ? 3.5 : 5.5, { class: `mark openable ${point.narrative.valence || "neutral"}`,
        onclick: () => openNarrative(point.index) })),
      isMany ? svg("polyline", { class: "strong-path", points: joined(path) }) : null),
      el("p", { class: "note" }, isMany ? words.line_caption_months : words.line_caption,
        dated && person.n_undated ? ` ${say("line_undated", { n: person.n_undated })}` : ""),
      later(words.line_table, () => pointTable(points)),
    ];
    return parts;
  }

  function pointTable(points) {
    const heads = [words.date, words.narrative, words.valence, words.score, words.quartiles];
    return wideTable(words.line_table,
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, points.map(({ narrative: n, index, score, low, high }) => el("tr", {},
        el("td", {}, isolated(dateText(n))),
        el("td", {}, el("button", { type: "button", class: "opener", onclick: () => openNarrative(index) }, isolated(n.id))),
        el("td", {}, label(n.valence)), el("td", { class: "number" }, polarity(score)),
        el("td", { class: "number" }, interval({ low, high }, polarity))))));
  }

  function openNarrative(i) {
    form.reset();
    if (personAt !== null) controls.person.value = String(personAt);
    if (hasDates) controls.sort.value = "date";
    applyFilters();
    choose(i, false);
    location.hash = "narratives";
  }

  /** The days of the first and the last narrative, and the months or years that have room between
   * them, with their names. */
  function timeTicks(first, last, x) {
    if (last - first < 864e5) return [[first, day.format(first)]];
    const ends = [[first, day.format(first)], [last, day.format(last)]];
    const room = x(last) - x(first) - 2 * TICK_WIDTH;
    const months = (last - first) / 864e5 / 30;
    const step = [1, 2, 3, 6, 12, 24, 60, 120, 600, 2400].find((n) => (months / n) * TICK_WIDTH < room);
    if (!step) return ends;
    const between = [];
    const start = new Date(first);
    const zero = start.getUTCFullYear() * 12 + start.getUTCMonth();
    for (let m = Math.ceil(zero / step) * step; ; m += step) {
      const t = Date.UTC(Math.floor(m / 12), m % 12, 1);
      if (x(last) - x(t) < TICK_WIDTH) return [...ends, ...between];
      if (x(t) - x(first) >= TICK_WIDTH) between.push([t, step >= 12 ? String(Math.floor(m / 12)) : month.format(t)]);
    }
  }

  // --- Printing --------------------------------------------------------------------------------

  /** What is printed of the list is the text of each narrative found, not the table. */
  function fillPrint() {
    if (byId("narratives").hidden) return;
    const n = Math.min(found.length, MOST_PRINTED);
    byId("printed").replaceChildren(legend(),
      found.length > n ? el("p", { class: "note" }, say("print_cut", { n: whole.format(n), total: whole.format(found.length) })) : "",
      ...found.slice(0, n).map((i) => {
        const it = narratives[i];
        return el("article", {}, el("h3", {}, isolated(it.id)), about(it), it.units.length ? arc(it, 640) : null, remark(it),
          it.text.trim() ? textElement(it, () => ({})) : el("p", {}, words.empty_text));
      }));
  }

  // --- What is in view, and what happens -------------------------------------------------------

  const hasDates = narratives.some((n) => n.when !== null);

  function showView(go) {
    const views = ["narratives", "people", "guide"];
    const name = location.hash.slice(1);
    if (name && !views.includes(name)) return; // the link that skips to the content
    const current = name || "narratives";
    for (const view of views) {
      byId(view).hidden = view !== current;
      const link = document.querySelector(`.top nav a[href="#${view}"]`);
      if (view === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (current === "people") choosePerson(personAt, false);
    if (current === "narratives") showReading();
    if (go) {
      scrollTo({ top: 0, behavior: "instant" });
      byId("main").focus({ preventScroll: true });
    }
  }

  let waiting = 0;
  const soon = (action, ms) => {
    clearTimeout(waiting);
    waiting = setTimeout(action, ms);
  };

  function start() {
    const nUnits = narratives.reduce((sum, n) => sum + n.units.length, 0);
    const named = personNames.filter((name) => name !== null).length;
    byId("counts").textContent = say("counts", { narratives: whole.format(narratives.length), people: whole.format(named), units: whole.format(nUnits) });
    const order = sorted(personNames.map((_, i) => i), (i) => personNames[i], false);
    controls.person.append(el("option", { value: "" }, words.everybody),
      ...order.map((i) => el("option", { value: i }, shown(personText(personNames[i])))));
    for (const field of form.querySelectorAll(".dates")) field.hidden = !hasDates;
    byId("legend").append(legend());
    byId("guide-doubtful").textContent = say("guide_doubtful", { margin: decimal.format(settings.doubtMargin) });

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => (event.target.name === "search" ? soon(applyFilters, 150) : applyFilters()));
    byId("clear").addEventListener("click", () => { form.reset(); applyFilters(); });
    byId("print-button").addEventListener("click", () => print());
    byId("previous-page").addEventListener("click", () => { page -= 1; showList(); });
    byId("next-page").addEventListener("click", () => { page += 1; showList(); });
    byId("list").tHead.addEventListener("click", (event) => {
      const key = event.target.dataset.sort;
      if (!key) return;
      controls.down.checked = controls.sort.value === key && !controls.down.checked;
      controls.sort.value = key;
      applyFilters();
    });
    byId("people-list").tHead.addEventListener("click", (event) => {
      const key = event.target.dataset.sort;
      if (!key) return;
      personDown = personSort === key && !personDown;
      personSort = key;
      showPeople();
    });
    addEventListener("beforeprint", fillPrint);
    addEventListener("afterprint", () => byId("printed").replaceChildren());
    addEventListener("hashchange", () => showView(true));
    let width = innerWidth;
    addEventListener("resize", () => {
      // Charts are drawn for a width; a phone's keyboard changes the height alone.
      if (innerWidth !== width) soon(() => { width = innerWidth; showView(false); }, 200);
    });
    applyFilters();
    showView(false);
  }

  start();
})();
