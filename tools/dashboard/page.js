// SPDX-License-Identifier: GPL-3.0-or-later
// The live page: one stream of events, four kinds of drawings, three tables. No library, nothing from elsewhere.
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

function fill(id, rows) {
  const body = $(id).tBodies[0], fresh = document.createElement("tbody");
  for (const cells of rows) {
    const row = fresh.insertRow();
    for (const c of cells) Array.isArray(c) ? cell(row, c[0], c[1]) : cell(row, c);
  }
  body.replaceWith(fresh);
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

function tables() {
  fill("users", net.user.map((u, k) => u
    ? [String(k), u.up ? ["here", "good"] : ["gone", "bad"], num(u.sinr_db, 2), num(u.predicted_db, 2), percent(u.evm, 2), int(u.code_blocks), u.errors > 0 ? [int(u.errors), "warn"] : "0",
       num(u.uplink_db, 2), u.uplink_errors > 0 ? [int(u.uplink_errors), "warn"] : int(u.uplink_errors), num(u.secrecy, 2), u.suspected ? ["suspected", "bad"] : "no"]
    : [String(k), ["not heard of", "warn"], "-", "-", "-", "-", "-", "-", "-", "-", "-"]));
  [...$("users").tBodies[0].rows].forEach((row, k) => (row.cells[0].style.boxShadow = `inset 4px 0 ${hue(k)}`)); // its colour in the drawings
  fill("aps", net.ap.map((a, m) => {
    if (!a) return [String(m), ["not heard of", "warn"], "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"];
    const late = a.arrival[3] > 0 ? [int(a.arrival[3]), "warn"] : "0";
    return [String(m), a.up ? ["here", "good"] : ["gone", "bad"], ...[1, 2, 3, 4, 5, 6, 7].map((i) => int(a.sent[i])), int(a.arrival[1]), int(a.arrival[2]), late, a.events.join(" "), num(a.noise_dbfs, 1)];
  }));
  const why = [];
  for (const [words, prefix] of [[status && status.scheme, ""], [status && status.reason, "because: "]]) {
    const sum = Object.values(words || {}).reduce((a, b) => a + b, 0);
    for (const [word, n] of Object.entries(words || {})) why.push([prefix + word, int(n), num((100 * n) / sum, 1) + " %"]);
  }
  fill("why", why);
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
    tile(int(s.late), "precoders late", s.late ? "warn" : ""));
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
  if (events !== drawn) { drawn = events; show(); tables(); drawSinr(); drawHops(); }
}
const stream = new EventSource("/events");
stream.onmessage = (event) => { take(JSON.parse(event.data)); draw(); };
stream.onerror = () => { net.up = false; events++; draw(); $("about").textContent = "the dashboard does not answer; trying again ..."; };
const drawAll = () => { drawn = -1; draw(); told.forEach(drawStar); };
addEventListener("resize", drawAll);
matchMedia("(prefers-color-scheme:dark)").addEventListener("change", drawAll);
