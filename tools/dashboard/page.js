// SPDX-License-Identifier: GPL-3.0-or-later
// The live page: one stream of events, drawings, a grid of access points, tables. No library, nothing from elsewhere. What a network does
// not have (clusters, zones, schedule, uplink, disruptions) has no place on it.
"use strict";
const $ = (id) => document.getElementById(id);
const net = { ap: [], user: [], n_ap: 0, n_ue: 0, up: false, over: false };
const history = []; // {t, sinr: [], predicted}
const POINTS = 480; // two minutes
let status = null, events = 0, lastBlock = null;
document.body.dataset.events = "0";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const hue = (k) => `hsl(${(k * 67 + 210) % 360} 65% ${matchMedia("(prefers-color-scheme:dark)").matches ? 68 : 40}%)`;
const num = (x, digits) => (typeof x === "number" ? x.toFixed(digits) : "-");
// What is far beyond 100 % says no more than that.
const percent = (x, digits) => (100 * x > 999 ? "> 999" : num(100 * x, digits));
const int = (x) => (typeof x === "number" ? x.toLocaleString("en") : "-");

function cell(row, text, kind) {
  const td = row.insertCell();
  td.textContent = text;
  if (kind) td.className = kind;
}

// columns: [title, what of an entry], what: a text or [text, kind].
function fill(id, columns, entries) {
  const table = $(id), body = document.createElement("tbody"), titles = columns.map((c) => c[0]).join("|");
  if (table.dataset.titles !== titles) {
    table.dataset.titles = titles;
    const row = document.createElement("tr");
    for (const [title] of columns) {
      const th = document.createElement("th");
      th.textContent = title; th.scope = "col";
      row.append(th);
    }
    table.tHead.replaceChildren(row);
  }
  entries.forEach((entry, i) => {
    const row = body.insertRow();
    for (const [, what] of columns) {
      const c = what(entry, i);
      Array.isArray(c) ? cell(row, c[0], c[1]) : cell(row, c);
    }
  });
  table.tBodies[0].replaceWith(body);
}

function canvas(id) {
  const c = typeof id === "string" ? $(id) : id, scale = window.devicePixelRatio || 1;
  const w = c.clientWidth, h = c.clientHeight;
  if (c.width !== Math.round(w * scale) || c.height !== Math.round(h * scale)) {
    c.width = Math.round(w * scale);
    c.height = Math.round(h * scale);
  }
  const g = c.getContext("2d");
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, w, h);
  g.font = "12px system-ui,sans-serif";
  return { g, w, h };
}

function drawSinr() {
  const { g, w, h } = canvas("sinr"), left = 34, bottom = h - 18, top = 6;
  const all = history.flatMap((p) => [...p.sinr, p.predicted]).filter((x) => typeof x === "number");
  // Noise says nothing more below -20 dB; lines at whole tens, or fives where these are few.
  const least = all.length ? Math.max(-20, Math.min(...all)) : 0, most = all.length ? Math.max(least + 5, ...all) : 40;
  const step = most - least > 25 ? 10 : 5, low = Math.floor(least / step) * step, high = Math.ceil((most + 0.5) / step) * step;
  const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
  const x = (i) => left + (i / (POINTS - 1)) * (w - left - 6);
  g.strokeStyle = css("--line");
  g.fillStyle = css("--soft");
  for (let v = low; v <= high; v += step) {
    g.beginPath(); g.moveTo(left, y(v)); g.lineTo(w, y(v)); g.stroke();
    g.fillText(String(v), 4, y(v) + 4);
  }
  g.fillText("2 min ago", left, h - 4);
  g.textAlign = "right"; g.fillText("now", w - 2, h - 4); g.textAlign = "left";
  const shift = POINTS - history.length;
  const line = (pick, colour, dash) => {
    g.strokeStyle = colour; g.lineWidth = 1.6; g.setLineDash(dash); g.beginPath();
    let pen = false;
    history.forEach((p, i) => {
      const v = pick(p);
      if (typeof v !== "number") { pen = false; return; }
      const to = y(Math.max(v, low));
      pen ? g.lineTo(x(i + shift), to) : g.moveTo(x(i + shift), to);
      pen = true;
    });
    g.stroke(); g.setLineDash([]); g.lineWidth = 1;
  };
  line((p) => p.predicted, css("--soft"), [5, 4]);
  for (let k = 0; k < Math.min(net.n_ue, 32); k++) line((p) => p.sinr[k], hue(k), []);
}

function drawHops() {
  const { g, w, h } = canvas("hops"), hops = (status && status.hops) || {}, names = Object.keys(hops);
  const left = 70, right = w - 56, low = Math.log10(1), high = Math.log10(1e5);
  const x = (us) => left + ((Math.log10(Math.min(Math.max(us, 1), 1e5)) - low) / (high - low)) * (right - left);
  g.fillStyle = css("--soft");
  g.strokeStyle = css("--line");
  for (const [us, text] of [[1, "1 us"], [10, "10"], [100, "100"], [1e3, "1 ms"], [1e4, "10"], [1e5, "100"]]) {
    g.beginPath(); g.moveTo(x(us), 4); g.lineTo(x(us), h - 18); g.stroke();
    g.fillText(text, x(us) - 8, h - 4);
  }
  if (net.budget_us > 0) {
    g.strokeStyle = css("--bad"); g.beginPath(); g.moveTo(x(net.budget_us), 2); g.lineTo(x(net.budget_us), h - 18); g.stroke();
    $("hopnote").textContent = "Bars: median to 99 %; tick: largest of the last quarter second; red line: the block's budget. Logarithmic.";
  }
  names.forEach((name, i) => {
    const hop = hops[name], y = 8 + (i * (h - 30)) / Math.max(names.length, 1), tall = Math.min(16, (h - 30) / Math.max(names.length, 1) - 6);
    g.fillStyle = css("--text"); g.fillText(name, 2, y + tall - 3);
    if (typeof hop.p50_us !== "number") return;
    g.fillStyle = css("--a"); g.fillRect(x(hop.p50_us), y, Math.max(2, x(hop.p99_us) - x(hop.p50_us)), tall);
    g.fillStyle = css("--b"); g.fillRect(x(hop.max_us) - 1, y - 1, 2, tall + 2);
    g.fillStyle = css("--soft"); g.fillText(`${hop.p99_us < 1000 ? hop.p99_us.toFixed(0) + " us" : (hop.p99_us / 1000).toFixed(1) + " ms"}`, right + 4, y + tall - 3);
  });
}

const told = []; // the newest constellation of every user: drawn again when size or colours change
function drawStar(star) {
  told[star.user] = star;
  let figure = $("star" + star.user);
  if (!figure) {
    figure = document.createElement("figure");
    figure.id = "star" + star.user;
    figure.append(document.createElement("canvas"), document.createElement("figcaption"));
    figure.lastChild.textContent = "user " + star.user;
    figure.firstChild.setAttribute("role", "img");
    figure.firstChild.setAttribute("aria-label", "received constellation of user " + star.user);
    const after = [...$("stars").children].find((f) => Number(f.id.slice(4)) > star.user);
    $("stars").insertBefore(figure, after || null);
  }
  const { g, w, h } = canvas(figure.firstChild);
  g.strokeStyle = css("--line");
  g.beginPath(); g.moveTo(w / 2, 0); g.lineTo(w / 2, h); g.moveTo(0, h / 2); g.lineTo(w, h / 2); g.stroke();
  g.fillStyle = hue(star.user);
  for (let i = 0; i + 1 < star.points.length; i += 2) {
    g.beginPath();
    g.arc(w / 2 + (star.points[i] / 127) * (w / 2), h / 2 - (star.points[i + 1] / 127) * (h / 2), 1.7, 0, 7);
    g.fill();
  }
}

function tile(value, what, kind) {
  const box = document.createElement("div"), b = document.createElement("b"), s = document.createElement("span");
  box.className = "tile"; b.textContent = value; s.textContent = what;
  if (kind) b.className = kind;
  box.append(b, s);
  return box;
}

const known = (what) => (entry, i) => (entry ? what(entry, i) : "-");
const state = (entry) => (entry ? (entry.up ? ["here", "good"] : ["gone", "bad"]) : ["not heard of", "warn"]);
const some = (entries, what) => entries.some((e) => e && what(e));
const warned = (n) => (n > 0 ? [int(n), "warn"] : int(n));

function userColumns() {
  const all = net.user, columns = [["user", (u, k) => String(k)], ["state", state]];
  const blocks = status ? status.block : 0;
  if (some(all, (u) => u.now === false && u.up)) columns.push(["served", known((u) => (u.now ? ["now", "good"] : "waits"))], ["of blocks", known((u) => percent(u.served / Math.max(blocks, 1), 0) + " %")]);
  columns.push(["SINR dB", known((u) => num(u.sinr_db, 2))], ["predicted", known((u) => num(u.predicted_db, 2))], ["EVM %", known((u) => percent(u.evm, 2))],
    ["code blocks", known((u) => int(u.code_blocks))], ["wrong", known((u) => warned(u.errors))]);
  if (some(all, (u) => u.uplink_code_blocks > 0)) columns.push(["uplink dB", known((u) => num(u.uplink_db, 2))], ["uplink blocks", known((u) => int(u.uplink_code_blocks))], ["uplink wrong", known((u) => warned(u.uplink_errors))]);
  if (some(all, (u) => "pilot" in u)) columns.push(["pilot", known((u) => int(u.pilot))], ["served by", known((u) => (u.cluster > 0 ? int(u.cluster) : ["nobody", "bad"]))], ["strongest AP", known((u) => int(u.master))]);
  if (some(all, (u) => typeof u.secrecy === "number")) columns.push(["secrecy bit", known((u) => num(u.secrecy, 2))]);
  columns.push(["attack", known((u) => (u.suspected ? ["suspected", "bad"] : "no"))]);
  return columns;
}

const SENT = ["fresh", "stale", "local", "mute", "late", "cut", "missed"];
function apColumns() {
  const columns = [["AP", (a, m) => String(m)], ["state", state]];
  SENT.forEach((word, i) => columns.push([word, known((a) => int(a.sent[i + 1]))]));
  columns.push(["early", known((a) => int(a.arrival[1]))], ["on time", known((a) => int(a.arrival[2]))], ["late arrivals", known((a) => warned(a.arrival[3]))],
    ["U O D S L", known((a) => a.events.join(" "))], ["noise dBFS", known((a) => num(a.noise_dbfs, 1))]);
  return columns;
}

function decisions() {
  const why = [];
  for (const [words, prefix] of [[status && status.scheme, ""], [status && status.reason, "because: "]]) {
    const sum = Object.values(words || {}).reduce((a, b) => a + b, 0);
    for (const [word, n] of Object.entries(words || {})) why.push([prefix + word, int(n), num((100 * n) / sum, 1) + " %"]);
  }
  fill("why", ["scheme or reason", "blocks", "share"].map((title, i) => [title, (row) => row[i]]), why);
}

function tables() {
  fill("users", userColumns(), net.user);
  [...$("users").tBodies[0].rows].forEach((row, k) => (row.cells[0].style.boxShadow = `inset 4px 0 ${hue(k)}`)); // its colour in the drawings
  fill("aps", apColumns(), net.ap);
  decisions();
}

// The grid of access points: made once, so that a keyboard keeps its place; then its words change.
let chosen = -1;
function apWords(a) {
  return !a ? "not heard of" : !a.up ? "gone" : a.mode || "here";
}

function servedBy(a) {
  if (!a || !a.up || a.mode === "senses") return [];
  return a.serves || net.user.map((u, k) => (u && u.up && u.now !== false ? k : -1)).filter((k) => k >= 0);
}

function makeGrid() {
  $("grid").replaceChildren(...net.ap.map((_, m) => {
    const button = document.createElement("button"), b = document.createElement("b"), s = document.createElement("span"), dots = document.createElement("span");
    button.type = "button"; button.dataset.ap = String(m); b.textContent = String(m); dots.className = "dots";
    button.append(b, s, dots);
    return button;
  }));
}

function describe(m) {
  const a = net.ap[m], users = servedBy(a), words = [`AP ${m}: ${apWords(a)}`];
  if (a && a.mode !== "senses") words.push(users.length ? `serves users ${users.join(", ")}` : "serves nobody");
  if (a) words.push(`${int(a.sent[1])} downlinks fresh, ${int(a.sent.slice(2).reduce((x, y) => x + y, 0))} not, ${int(a.arrival[3])} precoders late, noise ${num(a.noise_dbfs, 1)} dBFS`);
  return words.join("; ");
}

function drawGrid() {
  if ($("grid").children.length !== net.ap.length) makeGrid();
  [...$("grid").children].forEach((button, m) => {
    const a = net.ap[m], users = servedBy(a), dots = button.lastChild, most = 12;
    button.className = !a ? "" : !a.up ? "gone" : a.arrival[3] > 0 ? "late" : "here";
    button.children[1].textContent = apWords(a);
    button.setAttribute("aria-label", describe(m));
    button.setAttribute("aria-pressed", String(m === chosen));
    dots.replaceChildren(...users.slice(0, most).map((k) => {
      const i = document.createElement("i");
      i.textContent = String(k); i.style.color = hue(k);
      return i;
    }), users.length > most ? `and ${users.length - most} more` : "");
  });
  if (chosen >= 0) $("gridnote").textContent = describe(chosen);
}

$("grid").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) { chosen = Number(button.dataset.ap) === chosen ? -1 : Number(button.dataset.ap); drawGrid(); }
  if (chosen < 0) $("gridnote").textContent = "Choose an access point for more.";
});
$("grid").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const all = [...$("grid").children], at = all.indexOf(document.activeElement);
  if (step && at >= 0) { all[Math.max(0, Math.min(all.length - 1, at + step))].focus(); event.preventDefault(); }
});

function drawZones() {
  const zones = (status && status.zones) || [];
  $("sensing").hidden = !zones.length;
  const sensing = net.ap.map((a, m) => (a && a.mode === "senses" ? m : -1)).filter((m) => m >= 0);
  const serving = net.ap.map((a, m) => (a && a.mode === "serves" ? m : -1)).filter((m) => m >= 0);
  $("modes").textContent = `Illuminate: AP ${sensing.join(", ") || "none"}. Serve: AP ${serving.join(", ") || "none"}.`;
  fill("zones", [["zone", (z, i) => String(i)], ["MASR dB", (z) => num(z.masr_db, 2)], ["eavesdropper there, SINR dB", (z) => num(z.eve_db, 2)]], zones);
}

function drawResilience() {
  const r = status && status.resilience;
  $("resilience").hidden = !r;
  if (!r) return;
  const where = [r.ap >= 0 ? `AP ${r.ap}` : "", r.user >= 0 ? `user ${r.user}` : ""].filter(Boolean).join(", ");
  $("disruption").textContent = `${r.kind}${where ? " of " + where : ""}: ${r.busy ? "being dealt with" : "dealt with"}; ${r.candidates ? `${r.candidates} candidates, the best after ${num(r.ms, 0)} ms` : "no candidate yet"}; gap ${num(r.gap, 3)}.`;
  if (!$("parts").children.length) {
    for (const name of ["absorption", "adaptation", "recovery", "score"]) {
      const label = document.createElement("span"), meter = document.createElement("meter"), b = document.createElement("b");
      label.textContent = name; label.id = "part-" + name;
      meter.min = 0; meter.max = 1; meter.setAttribute("aria-labelledby", label.id);
      $("parts").append(label, meter, b);
    }
  }
  [...$("parts").children].forEach((element, i, all) => {
    if (i % 3 === 0) { const v = r[element.textContent]; all[i + 1].value = v || 0; all[i + 2].textContent = num(v, 3); }
  });
}

function extraTiles() {
  const tiles = [], up = net.user.filter((u) => u && u.uplink_code_blocks > 0);
  const waiting = net.user.filter((u) => u && u.up && u.now === false).length, r = status && status.resilience;
  if (waiting) tiles.push(tile(`${net.user.filter((u) => u && u.now).length} / ${net.n_ue}`, "users served now"));
  if (up.length) tiles.push(tile(((100 * up.reduce((n, u) => n + u.uplink_errors, 0)) / up.reduce((n, u) => n + u.uplink_code_blocks, 0)).toFixed(2) + " %", "uplink blocks wrong"));
  if (r) tiles.push(tile(num(r.score, 3), "resilience score", r.busy ? "warn" : ""));
  return tiles;
}

function show() {
  $("title").textContent = net.name ? `Tutti: ${net.name}` : "Tutti";
  $("about").textContent = net.n_ap ? `${net.n_ap} access points x ${net.n_ant} antennas, ${net.n_ue} users, ${net.n_eve} eavesdroppers; ${net.scheme}, power ${net.power}, ${net.qam}-QAM, block ${(net.block_us / 1000).toFixed(2)} ms` : "connecting ...";
  const worst = Math.min(...net.user.map((u) => (u && typeof u.sinr_db === "number" ? u.sinr_db : Infinity)));
  const errors = net.user.reduce((n, u) => n + (u ? u.errors : 0), 0), blocks = net.user.reduce((n, u) => n + (u ? u.code_blocks : 0), 0);
  const gone = net.ap.filter((a) => !a || !a.up).length;
  const s = status || {};
  const speed = lastBlock && s.elapsed_s > lastBlock.t ? ((s.block - lastBlock.block) * net.block_us * 1e-6) / (s.elapsed_s - lastBlock.t) : null;
  if (status && (!lastBlock || s.elapsed_s - lastBlock.t > 2 || s.elapsed_s < lastBlock.t)) lastBlock = { t: s.elapsed_s, block: s.block };
  $("tiles").replaceChildren(
    tile(net.over ? "run over" : net.up ? "running" : "not there", "central node", net.over ? "" : net.up ? "good" : "bad"),
    tile(s.n_blocks ? `${int(s.block)} / ${int(s.n_blocks)}` : int(s.block), "blocks"),
    tile(speed === null ? "-" : speed.toFixed(2) + " x", "of real time"),
    tile(`${net.n_ap - gone} / ${net.n_ap}`, "access points", !net.n_ap ? "" : gone ? "bad" : "good"),
    tile(`${s.users_alive ?? "-"} / ${net.n_ue}`, "users", !net.n_ue ? "" : s.users_alive < net.n_ue ? "bad" : "good"),
    tile(isFinite(worst) ? worst.toFixed(1) + " dB" : "-", "worst user"),
    tile(blocks ? ((100 * errors) / blocks).toFixed(2) + " %" : "-", "code blocks wrong", errors ? "warn" : ""),
    tile(int(s.late), "precoders late", s.late ? "warn" : ""),
    ...extraTiles());
}

function take(message) {
  if (message.type === "network") {
    Object.assign(net, message);
    status = message.status || status;
  } else if (message.type === "link") {
    net.up = message.up;
    net.over = message.over;
    if (!message.up) for (const one of [...net.ap, ...net.user]) if (one) one.up = false;
  } else if (message.type === "status") {
    if (status && message.elapsed_s < status.elapsed_s) history.length = 0; // another run
    status = message;
    net.up = true; net.over = false;
    (message.ap || []).forEach((a, i) => (net.ap[message.ap_from + i] = a));
    (message.user || []).forEach((u, i) => (net.user[message.user_from + i] = u));
    const predicted = net.user.map((u) => u && u.predicted_db).filter((x) => typeof x === "number");
    history.push({ sinr: net.user.map((u) => (u && u.up ? u.sinr_db : null)), predicted: predicted.length ? Math.min(...predicted) : null });
    if (history.length > POINTS) history.shift();
    if (message.constellation) drawStar(message.constellation);
  }
  events++;
  document.body.dataset.events = String(events);
}

let drawn = -1;
function draw() {
  if (events !== drawn) { drawn = events; show(); tables(); drawGrid(); drawZones(); drawResilience(); drawSinr(); drawHops(); }
}
const stream = new EventSource("/events");
stream.onmessage = (event) => { take(JSON.parse(event.data)); draw(); };
stream.onerror = () => { net.up = false; events++; draw(); $("about").textContent = "the dashboard does not answer; trying again ..."; };
const drawAll = () => { drawn = -1; draw(); told.forEach(drawStar); };
addEventListener("resize", drawAll);
matchMedia("(prefers-color-scheme:dark)").addEventListener("change", drawAll);
