// Keeps the page that the cell has rendered up to date, and draws what only time tells: records a second, and lag.
"use strict";
(() => {
    const EVERY_MS = 1000, MOST = 120, SVG = "http://www.w3.org/2000/svg";
    const feed = document.body.dataset.feed, live = document.getElementById("live");
    const histories = new Map(); // by aggregate: [{ms, position, lag, rate}]
    let samples = 0;

    function make(name, attributes, text) {
        const element = document.createElement(name);
        for (const key in attributes || {})
            element.setAttribute(key, attributes[key]);
        if (text !== undefined)
            element.textContent = text;
        return element;
    }
    function shape(name, attributes, text) {
        const element = document.createElementNS(SVG, name);
        for (const key in attributes)
            element.setAttribute(key, attributes[key]);
        if (text !== undefined)
            element.textContent = text;
        return element;
    }

    // ---- values, written as page_html.c writes them ----

    function shown(text, column) {
        if (column.as === "window")
            return new Date(Number(text) / 1000).toISOString().slice(0, 19) + "Z";
        if (column.type !== "f64" && column.type !== "f32")
            return text;
        const n = Number(text), size = Math.abs(n);
        return text === "0" || (size >= 0.01 && size < 1e15) ? n.toFixed(2) : text;
    }
    const brief = (n) => n >= 1e9 ? (n / 1e9).toFixed(1) + " G" : n >= 1e6 ? (n / 1e6).toFixed(1) + " M" :
        n >= 1e4 ? (n / 1e3).toFixed(1) + " k" : String(Math.round(n));
    const isNumber = (column) => column.as !== "group" && column.as !== "window";

    // The next number up of which the half is as round.
    function round(n) {
        const power = 10 ** Math.floor(Math.log10(Math.max(n, 2)));
        return [2, 4, 6, 8, 10].map((m) => m * power).find((m) => m >= n);
    }

    // ---- history ----

    function remember(name, aggregate) {
        const kept = histories.get(name) || [], last = kept[kept.length - 1], ms = performance.now();
        const sample = {ms, position: aggregate.position, lag: aggregate.lag_records, rate: null};
        if (last && ms > last.ms)
            sample.rate = Math.max(0, (sample.position - last.position) * 1000 / (ms - last.ms));
        kept.push(sample);
        if (kept.length > MOST)
            kept.shift();
        histories.set(name, kept);
        return kept;
    }

    // A line over the last two minutes; the newest value is at the right edge.
    function draw(svg, values, width, height, left) {
        const top = round(Math.max(...values, 0)), step = (width - left) / (MOST - 1), below = height - 4;
        const points = values.map((v, i) => {
            const x = width - (values.length - 1 - i) * step, y = below - (below - 12) * v / top;
            return x.toFixed(1) + "," + y.toFixed(1);
        });
        const parts = [];
        if (left)
            for (const part of [0, 0.5, 1]) {
                const y = below - (below - 12) * part;
                parts.push(shape("line", {class: "grid", x1: left, x2: width, y1: y, y2: y}),
                           shape("text", {x: left - 6, y: y + 4, "text-anchor": "end"}, brief(top * part)));
            }
        if (points.length > 1) {
            const first = points[0].split(",")[0];
            parts.push(shape("polygon", {class: "area", points: `${first},${below} ${points.join(" ")} ${width},${below}`}));
        }
        parts.push(shape("polyline", {class: "line", points: points.join(" ")}));
        svg.replaceChildren(...parts);
    }

    function chart(id, title) {
        const box = make("section", {class: "chart", id}), head = make("h2", {}, title), value = make("span");
        const svg = shape("svg", {viewBox: "0 0 600 176", role: "img", preserveAspectRatio: "none"});
        head.append(value);
        box.append(head, svg);
        return {box, show(values, text) {
            svg.setAttribute("viewBox", `0 0 ${Math.max(200, svg.clientWidth)} 176`);
            draw(svg, values, Math.max(200, svg.clientWidth), 176, 56);
            svg.setAttribute("aria-label", `${title}, last ${text}`);
            value.textContent = text;
        }};
    }

    // ---- all aggregates ----

    function showAll(data) {
        const body = document.querySelector("#aggregates tbody");
        if (!body || data.aggregates.length === 0) {
            if (data.aggregates.length > 0 || body)
                location.reload();
            return;
        }
        const head = document.querySelector("#aggregates thead tr");
        if (head.children.length === 7)
            head.append(make("th", {class: "n"}, "Records/s"), make("th", {}, "Last two minutes"));
        const rows = data.aggregates.map((a) => {
            const kept = remember(a.name + (a.building ? "+" : ""), a), row = make("tr"), name = make("th", {scope: "row"});
            const rates = kept.filter((s) => s.rate !== null).map((s) => s.rate), last = rates[rates.length - 1];
            const svg = shape("svg", {class: "spark", viewBox: "0 0 144 24", preserveAspectRatio: "none", "aria-hidden": "true"});
            name.append(make("a", {href: "of/" + encodeURIComponent(a.name)}, a.name));
            draw(svg, rates, 144, 24, 0);
            const line = make("td");
            line.append(svg);
            row.append(name, make("td", {}, a.source),
                       make("td", {class: a.phase.replace(" ", "-")}, (a.building ? "rebuilding: " : "") + a.phase),
                       ...[a.groups, a.position, a.lag_records, a.lag_ms, last === undefined ? "–" : brief(last)]
                           .map((n) => make("td", {class: "n"}, n)), line);
            if (a.error)
                row.children[2].title = a.error;
            return row;
        });
        const focus = document.activeElement && document.activeElement.getAttribute("href");
        body.replaceChildren(...rows);
        const again = focus && [...body.querySelectorAll("a")].find((a) => a.getAttribute("href") === focus);
        if (again)
            again.focus();
    }

    // ---- one ----

    let charts = null, before = new Map();

    function makeCharts() {
        const place = make("div", {class: "charts"}), rate = chart("rate", "Records a second"), lag = chart("lag", "Records behind");
        place.append(rate.box, lag.box);
        document.getElementById("groups").before(place);
        return {rate, lag};
    }

    function fact(id, text) {
        const element = document.getElementById(id);
        if (element && element.textContent !== String(text))
            element.textContent = text;
    }

    function showRows(data) {
        const by = data.columns.findIndex((c) => c.name === data.by), now = new Map();
        const most = Math.max(0, ...data.rows.map((r) => by < 0 ? 0 : Number(r[by]) || 0));
        const rows = data.rows.map((values) => {
            const key = JSON.stringify(values.filter((v, i) => data.columns[i].as === "group")), old = before.get(key);
            const row = make("tr");
            now.set(key, values);
            values.forEach((value, i) => {
                const cell = make("td", {}, shown(value, data.columns[i]));
                cell.classList.toggle("n", isNumber(data.columns[i]));
                cell.classList.toggle("fresh", before.size > 0 && (!old || old[i] !== value));
                row.append(cell);
            });
            if (by >= 0) {
                const cell = make("td", {class: "bar", "aria-hidden": "true"});
                const svg = shape("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none"});
                const part = most > 0 ? Math.max(0, Number(values[by]) || 0) / most : 0;
                svg.append(shape("rect", {width: (100 * part).toFixed(1), height: 10, rx: 0.5}));
                cell.append(svg);
                row.append(cell);
            }
            return row;
        });
        before = now;
        document.querySelector("#groups tbody").replaceChildren(...rows);
    }

    function showOne(data) {
        const a = data.aggregate, kept = remember(a.name, a), problem = document.getElementById("problem");
        const names = [...document.querySelectorAll("#groups thead th[data-column]")].map((th) => th.dataset.column);
        if (names.join() !== data.columns.map((c) => c.name).join())
            return location.reload(); // it was built anew, with other fields
        charts = charts || makeCharts();
        const rates = kept.filter((s) => s.rate !== null).map((s) => s.rate);
        charts.rate.show(rates, rates.length ? brief(rates[rates.length - 1]) : "–");
        charts.lag.show(kept.map((s) => s.lag), brief(a.lag_records));
        fact("phase", a.phase);
        document.getElementById("phase").className = a.phase.replace(" ", "-");
        fact("position", a.position);
        fact("count", a.groups);
        fact("lag_records", a.lag_records);
        fact("lag_ms", a.lag_ms + " ms");
        problem.hidden = !a.error;
        problem.textContent = a.error;
        showRows(data);
    }

    // ---- asking ----

    function say(good, text) {
        live.className = good ? "on" : "off";
        if (live.textContent !== text)
            live.textContent = text;
    }

    async function ask() {
        if (!document.hidden) {
            try {
                const reply = await fetch(feed, {cache: "no-store"});
                if (!reply.ok)
                    throw new Error((await reply.text()).trim() || reply.statusText);
                const data = await reply.json();
                (data.aggregates ? showAll : showOne)(data);
                say(true, "Live");
                document.body.dataset.samples = ++samples;
            } catch (e) {
                say(false, e instanceof TypeError ? "The cell does not answer; trying again" : e.message);
            }
        }
        setTimeout(ask, EVERY_MS);
    }
    if (feed)
        ask();
})();
