// The dashboard. Everything shown comes over one stream of events. Names and values are a guest's or a client's, which
// may be hostile: they reach the page as text (textContent) and never as markup, and class names come from this file only.

const TRACES = 200, LINES = 1000, SHOWN_LINES = 500, POINTS = 120;
const LEVELS = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 };
const $ = (id) => document.getElementById(id);

const traces = new Map(); // id -> { spans: Map, full, newest }
let lines = [];
let chosen = null; // the id of a trace
let chosenSpan = null;
let run = null;
let own = "Tempo"; // the component that this runtime serves
let lost = 0;

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// --- how things are written ---

function clock(ms) {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "?" : time.toTimeString().slice(0, 8) + "." + String(time.getMilliseconds()).padStart(3, "0");
}

function took(ms) {
  if (ms >= 1000) return (ms / 1000).toFixed(2) + " s";
  if (ms >= 1) return ms.toFixed(ms >= 100 ? 0 : 1) + " ms";
  return Math.round(ms * 1000) + " µs";
}

function short(number) {
  if (number >= 1e6) return (number / 1e6).toFixed(1) + "M";
  if (number >= 1e3) return (number / 1e3).toFixed(1) + "k";
  return Number.isInteger(number) ? String(number) : number.toFixed(number >= 10 ? 0 : number >= 0.1 ? 1 : 2);
}

const bytes = (number) => number >= 1 << 20 ? (number / (1 << 20)).toFixed(1) + " MiB" : (number / 1024).toFixed(0) + " KiB";

const FROM = { host: "host", guest: "guest", other: "other" };
const from = (span) => FROM[span.from] ?? "other";
const service = (span) => span.service || own;

const attribute = (span, name) => span.attributes.find(([key]) => key === name)?.[1];

// --- requests and messages ---

const isCall = (span) => span.parent === "" || (span.from !== "guest" && (span.kind === "server" || span.kind === "consumer"));

function callText(span) {
  const method = attribute(span, "http.request.method");
  if (method !== undefined) return [method, attribute(span, "url.path") ?? span.name];
  const topic = attribute(span, "messaging.destination.name");
  if (topic !== undefined) return [attribute(span, "messaging.operation.name") ?? "message", topic];
  return [span.kind, span.name];
}

function callStatus(span) {
  const code = attribute(span, "http.response.status_code");
  const error = attribute(span, "error.type");
  const bad = span.status === "error";
  if (code !== undefined) return [code, bad || code >= 500 ? "bad" : code >= 400 ? "warn" : "good"];
  return [attribute(span, "tempo.outcome") ?? error ?? (bad ? "error" : "ok"), bad || error ? "bad" : "good"];
}

function showCalls() {
  const words = $("call-filter").value.toLowerCase();
  const calls = [];
  for (const trace of traces.values()) {
    for (const span of trace.spans.values()) if (isCall(span)) calls.push(span);
  }
  calls.sort((a, b) => b.start - a.start);
  const rows = [];
  for (const span of calls) {
    const [method, what] = callText(span);
    const [status, mood] = callStatus(span);
    if (words && !`${span.service} ${method} ${what} ${status} ${span.trace}`.toLowerCase().includes(words)) continue;
    const row = element("button", "call");
    row.type = "button";
    row.setAttribute("aria-current", String(span.trace === chosen));
    row.title = span.trace;
    const subject = element("span", "what", what);
    if (span.service) subject.prepend(element("span", "service", span.service));
    row.append(element("span", "when quiet mono", clock(span.start).slice(0, 8)), element("span", "quiet", method),
      subject, element("span", `status ${mood}`, status), element("span", "took", took(span.duration)));
    row.addEventListener("click", () => choose(span.trace));
    const item = element("li");
    item.append(row);
    rows.push(item);
    if (rows.length === TRACES) break;
  }
  // The row that has the focus is made anew: the one at its place gets it, so that the keyboard keeps working.
  const focused = [...$("calls").children].findIndex((item) => item.contains(document.activeElement));
  $("calls").replaceChildren(...rows);
  rows[focused]?.firstChild.focus();
  $("no-calls").hidden = rows.length > 0;
}

function choose(trace) {
  chosen = trace;
  chosenSpan = null;
  showCalls();
  showTrace();
  if ($("line-trace").checked) showLines();
}

// --- the waterfall ---

/** The spans of a trace in the order of the waterfall, each with its depth. Guests may name any span as a parent: a span
 * whose parent is not there, or that is its own ancestor, stands at the top. */
function ordered(trace) {
  const all = [...trace.spans.values()].sort((a, b) => a.start - b.start || b.duration - a.duration);
  const ids = new Set(all.map((span) => span.id));
  const children = new Map();
  for (const span of all) {
    if (!ids.has(span.parent)) continue;
    if (!children.has(span.parent)) children.set(span.parent, []);
    children.get(span.parent).push(span);
  }
  const rows = [], seen = new Set();
  const walk = (root) => {
    const open = [[root, 0]];
    while (open.length > 0) {
      const [span, depth] = open.pop();
      if (seen.has(span)) continue;
      seen.add(span);
      rows.push([span, depth]);
      const below = children.get(span.id) ?? [];
      for (let i = below.length - 1; i >= 0; i--) open.push([below[i], depth + 1]);
    }
  };
  all.filter((span) => !ids.has(span.parent)).forEach(walk);
  all.forEach(walk);
  return rows;
}

/** When the waterfall begins and ends. The hosts' clocks count; a guest may say any time, which must not make the rest
 * too small to see. */
function extent(spans) {
  const host = spans.filter((span) => span.from !== "guest");
  const sure = host.length > 0 ? host : spans;
  let begin = Math.min(...sure.map((span) => span.start));
  let end = Math.max(...sure.map((span) => span.start + span.duration));
  for (const span of spans) {
    const last = span.start + span.duration;
    if (span.start >= begin - 1000 && last <= end + 60000) {
      begin = Math.min(begin, span.start);
      end = Math.max(end, last);
    }
  }
  return [begin, Math.max(end - begin, 0.001)];
}

function showTrace() {
  const trace = traces.get(chosen);
  $("no-trace").hidden = Boolean(trace);
  $("no-trace").textContent = chosen ? "No span of this trace has ended yet, or they are no longer kept." : "Choose a request or a message to see what happened in it.";
  $("trace-id").textContent = trace ? chosen : "";
  if (!trace) {
    $("waterfall").replaceChildren();
    $("detail").hidden = true;
    return;
  }
  const spans = [...trace.spans.values()];
  const [begin, length] = extent(spans);
  const ids = new Map(spans.map((span) => [span.id, span]));
  const several = new Set(spans.map(service)).size > 1;
  const rows = ordered(trace).map(([span, depth]) => {
    const row = element("button", `span ${from(span)}${span.status === "error" ? " error" : ""}`);
    row.type = "button";
    row.setAttribute("role", "treeitem");
    row.setAttribute("aria-level", depth + 1);
    row.setAttribute("aria-selected", String(span === chosenSpan));
    row.dataset.id = span.id;
    row.dataset.parent = span.parent;
    const name = element("span", "name", span.name || "(no name)");
    name.style.paddingLeft = `${Math.min(depth, 12) * 14}px`;
    name.title = `${service(span)}: ${span.name}`;
    // In a trace of several programs, the first span of each shows its service.
    const above = ids.get(span.parent);
    if (several && (!above || service(above) !== service(span))) name.prepend(element("span", "service", service(span)));
    // Spans named by their method only also show their target.
    const where = span.from !== "guest" && attribute(span, "http.request.method") && (attribute(span, "url.path") ?? attribute(span, "server.address"));
    if (where) name.append(element("span", "where quiet", where));
    const track = element("span", "track"), fill = element("span", "fill");
    const left = Math.min(Math.max((span.start - begin) / length, 0), 1);
    const right = Math.min(Math.max((span.start + span.duration - begin) / length, left), 1);
    fill.style.left = `${left * 100}%`;
    fill.style.width = `${(right - left) * 100}%`;
    track.append(fill);
    row.append(name, track, element("span", "took", took(span.duration)));
    row.addEventListener("click", () => {
      chosenSpan = span === chosenSpan ? null : span;
      showTrace();
    });
    return row;
  });
  if (trace.full) rows.push(element("p", "quiet empty", "This trace has more spans than are kept."));
  const focused = [...$("waterfall").children].indexOf(document.activeElement);
  $("waterfall").replaceChildren(...rows);
  rows[focused]?.focus();
  showDetail(begin);
}

function table(rows) {
  const node = element("table");
  fill(node, rows);
  return node;
}

function fill(node, rows) {
  node.replaceChildren(...rows.map(([key, value]) => {
    const row = element("tr");
    row.append(element("td", "", key), element("td", "text", value));
    return row;
  }));
}

function showDetail(begin) {
  const span = chosenSpan, box = $("detail");
  box.hidden = !span;
  if (!span) return;
  const facts = [["name", span.name], ["made by", [service(span), from(span), from(span) === "host" ? "" : span.scope].filter(Boolean).join(" ")], ["kind", span.kind],
    ["span", span.id], ["parent", span.parent || "none"], ["start", `${clock(span.start)} (+${took(Math.max(span.start - begin, 0))})`],
    ["duration", took(span.duration)], ["status", span.message ? `${span.status}: ${span.message}` : span.status]];
  box.replaceChildren(table(facts));
  const part = (title, rows) => rows.length > 0 && box.append(element("h3", "", title), table(rows));
  part("Attributes", span.attributes);
  for (const event of span.events) part(`Event ${event.name} (+${took(Math.max(event.time - begin, 0))})`, [["", ""], ...event.attributes].slice(event.attributes.length ? 1 : 0));
  part("Links", span.links.map((link) => ["trace/span", link]));
  part("Logs", lines.filter((line) => line.trace === span.trace && line.span === span.id).map((line) => [clock(line.time), line.message]));
  if (span.cut) box.append(element("p", "quiet", "Parts of this span were too long to be kept."));
}

// --- logs ---

function matches(line) {
  if ((LEVELS[line.level] ?? 2) < Number($("line-level").value)) return false;
  if ($("line-trace").checked && line.trace !== chosen) return false;
  const words = $("line-filter").value.toLowerCase();
  return !words || `${line.service} ${line.target} ${line.message} ${line.attributes.flat().join(" ")}`.toLowerCase().includes(words);
}

function lineRow(line) {
  const row = element("div", "line"), text = element("span", "text");
  const mood = { error: "bad", warn: "warn" }[line.level] ?? "quiet";
  if (line.service) text.append(element("span", "service", line.service));
  text.append(element("span", "target", `${line.target} `), element("span", "", line.message));
  for (const [key, value] of line.attributes) text.append(element("span", "target", ` ${key}=${value}`));
  if (line.trace) {
    const link = element("button", "of-trace", "trace");
    link.type = "button";
    link.addEventListener("click", () => choose(line.trace));
    text.append(link);
  }
  row.append(element("span", "when quiet", clock(line.time)), element("span", mood, line.level in LEVELS ? line.level : "info"), text);
  return row;
}

function showLines() {
  $("lines").replaceChildren();
  addLines(lines.filter(matches).slice(-SHOWN_LINES));
}

function addLines(added) {
  const box = $("lines");
  const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  box.append(...added.map(lineRow));
  while (box.childElementCount > SHOWN_LINES) box.firstChild.remove();
  if (follows) box.scrollTop = box.scrollHeight;
}

// --- charts ---

const series = (families, name) => families.find((family) => family.name === name)?.series ?? [];
const sum = (list, value) => list.reduce((total, item) => total + value(item), 0);
const gauge = (name) => (now) => sum(series(now.families, name), (one) => one.value);
const change = (now, before, name, value, keep = () => true) =>
  Math.max(sum(series(now.families, name).filter(keep), value) - sum(series(before.families, name).filter(keep), value), 0);
const rate = (name, value, keep) => (now, before) => before && change(now, before, name, value, keep) / ((now.at - before.at) / 1000);

/** A quantile of what a histogram counted between two samples; within a bucket, in proportion. */
function quantile(name, share) {
  return (now, before) => {
    if (!before) return null;
    const count = change(now, before, name, (one) => one.count);
    const bounds = series(now.families, name)[0]?.buckets.map(([bound]) => bound) ?? [];
    if (count === 0) return null;
    let low = 0, below = 0;
    for (const [i, bound] of bounds.entries()) {
      const to = change(now, before, name, (one) => one.buckets[i]?.[1] ?? 0);
      if (to >= share * count) return low + (bound - low) * Math.min((share * count - below) / Math.max(to - below, 1e-9), 1);
      [low, below] = [bound, to];
    }
    return low;
  };
}

function mean(name) {
  return (now, before) => {
    const count = before ? change(now, before, name, (one) => one.count) : 0;
    return count > 0 ? change(now, before, name, (one) => one.sum) / count : null;
  };
}

const HTTP = "http_server_request_duration_seconds";
const isFailure = (one) => Number(one.labels.http_response_status_code) >= 500 || "error_type" in one.labels;
const perSecond = (value) => `${short(value)}/s`;
const CHARTS = [
  ["Requests", perSecond, rate(HTTP, (one) => one.count)],
  ["Response, p50 / p99", (value) => took(value * 1000), quantile(HTTP, 0.5), quantile(HTTP, 0.99)],
  ["Failed requests", perSecond, rate(HTTP, (one) => one.count, isFailure)],
  ["Messages", perSecond, rate("messaging_process_duration_seconds", (one) => one.count)],
  ["Instances, alive / idle", short, gauge("tempo_instances_alive"), gauge("tempo_instances_idle")],
  ["Memory of an instance", bytes, mean("tempo_call_memory_bytes")],
  ["CPU of guests", (value) => `${short(value * 100)}%`, rate("tempo_call_cpu_time_seconds_total", (one) => one.value)],
  ["Limits hit", perSecond, rate("tempo_limit_hits_total", (one) => one.value)],
].map(([title, write, ...lines]) => ({ title, write, lines, points: lines.map(() => []) }));

let before = null;

function sample(families) {
  const now = { families, at: performance.now() };
  for (const chart of CHARTS) chart.lines.forEach((line, i) => {
    chart.points[i].push(line(now, before) ?? null);
    if (chart.points[i].length > POINTS) chart.points[i].shift();
  });
  before = now;
  for (const chart of CHARTS) showChart(chart);
}

function makeCharts() {
  const svg = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  for (const chart of CHARTS) {
    const figure = element("figure", "chart"), caption = element("figcaption", "", chart.title);
    chart.output = element("output", "", "–");
    caption.append(chart.output);
    const picture = svg("svg", { viewBox: `0 0 ${POINTS - 1} 40`, preserveAspectRatio: "none", "aria-hidden": "true" });
    picture.append(svg("path", { class: "base", d: `M0 40H${POINTS - 1}` }));
    chart.paths = chart.lines.map((_, i) => svg("path", i === 0 ? {} : { class: "second" }));
    picture.append(...chart.paths);
    figure.append(caption, picture);
    $("charts").append(figure);
  }
}

function showChart(chart) {
  const top = Math.max(...chart.points.flat(), 1e-9) * 1.1;
  chart.points.forEach((points, i) => {
    let path = "", pen = false;
    points.forEach((value, at) => {
      const x = POINTS - points.length + at, y = 40 - (value / top) * 40;
      if (value !== null) path += pen ? `L${x} ${y.toFixed(2)}` : `M${x} ${y.toFixed(2)}h0.01`;
      pen = value !== null;
    });
    chart.paths[i].setAttribute("d", path);
  });
  const latest = chart.points.map((points) => points.findLast((value) => value !== null) ?? null);
  chart.output.textContent = latest.map((value) => value === null ? "–" : chart.write(value)).join(" / ");
}

// --- the component ---

function showComponent(about) {
  if (!about) return;
  own = about.component ?? "Tempo";
  $("component").textContent = own;
  document.title = `${own} · Tempo`;
  $("wasi").textContent = about.wasi ? `WASI ${about.wasi}` : "";
  $("about").hidden = false;
  // Of an app, each row names its component.
  const rows = (of) => (about.components ?? [about]).flatMap((one) =>
    of(one).map(([name, value]) => [about.components ? `${one.component}: ${name}` : name, value]));
  const satisfied = (one) => one.satisfied_by ?? (one.nearest ? `missing: ${one.nearest}` : "type only");
  fill($("imports"), rows((component) => (component.imports ?? []).map((one) => [one.name, satisfied(one)])));
  fill($("exports"), rows((component) => (component.exports ?? []).map((one) => [one.name, one.called_by ?? "not called here"])));
  const granted = (component) => Object.entries(component.grants ?? {});
  fill($("grants"), rows((one) => granted(one).map(([what, values]) => [what, [values].flat().join("\n") || "none"])));
}

// --- what comes in ---

function addSpan(span) {
  let trace = traces.get(span.trace);
  if (!trace) {
    trace = { spans: new Map(), full: false };
    traces.set(span.trace, trace);
    // The one that is looked at stays.
    for (const id of traces.keys()) {
      if (traces.size <= TRACES) break;
      if (id !== chosen) traces.delete(id);
    }
  }
  // A guest that takes the id of a span of the host does not take its place.
  if (span.full) trace.full = true;
  else trace.spans.set(`${span.from} ${span.id}`, span);
}

let waiting = false;
function showSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    if ($("pause").getAttribute("aria-pressed") === "true") return;
    showCalls();
    showTrace();
  });
}

function forget() {
  traces.clear();
  lines = [];
  [chosen, chosenSpan, before, lost] = [null, null, null, 0];
  showLines();
  showSoon();
}

function listen() {
  const events = new EventSource("/events");
  const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
  on("hello", (hello) => {
    if (run !== null && run !== hello.run) forget();
    run = hello.run;
    showComponent(hello.component);
  });
  on("spans", (spans) => {
    spans.forEach(addSpan);
    showSoon();
  });
  on("lines", (added) => {
    lines = lines.concat(added).slice(-LINES);
    addLines(added.filter(matches));
  });
  on("lost", (count) => {
    lost += count;
    $("lost").hidden = false;
    $("lost").textContent = `${short(lost)} rows came too fast to show`;
  });
  on("metrics", (metrics) => {
    $("health").className = metrics.not_ready ? "badge bad" : "badge good";
    $("health").textContent = metrics.not_ready ?? "ready";
    sample(metrics.families);
  });
  events.addEventListener("error", () => {
    $("health").className = "badge bad";
    $("health").textContent = "not connected";
    // A refusal ends the stream for good; what else goes wrong, the browser tries again by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

makeCharts();
$("call-filter").addEventListener("input", showCalls);
$("pause").addEventListener("click", () => {
  const paused = $("pause").getAttribute("aria-pressed") !== "true";
  $("pause").setAttribute("aria-pressed", String(paused));
  if (!paused) showSoon();
});
for (const id of ["line-filter", "line-level", "line-trace"]) $(id).addEventListener("input", showLines);
listen();
