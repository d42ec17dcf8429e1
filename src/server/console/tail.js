// The live tail: a stream of its own, open only while somebody wants to see it, and filtered by the server where it can be.

const MAX_ROWS = 200;
/** Events shown in a second at most; the rest is counted. */
const SAMPLE = 50;
let tail = null;
let [tailPaused, tailDrawing, tailRows] = [false, false, []];
let second = { received: 0, shown: 0 };
let tailReceived = 0;

const openTail = () => {
  tail?.abort();
  tail = null;
  const token = sessionStorage.getItem(TOKEN);
  if (tailPaused || token === null) return;
  const mine = new AbortController();
  tail = mine;
  const type = at("filter-type").value;
  const asked = query({ events: [...(type === "" ? TYPES : [type]), "gap"].join(","), libraries: at("filter-library").value.trim() });
  const current = (call) => (value) => { if (tail === mine) call(value); };
  listen(url(`sse${asked}`), token, mine.signal, {
    open: () => {},
    comment: () => {},
    refused: current((status) => tailNotice("refused", status === 422 ? "this is no name of a library" : `the server answered ${status}`)),
    lost: current((ms) => tailNotice("connection lost", `trying again in ${(ms / 1_000).toFixed(1)} s; what happens meanwhile is missed`)),
    event: current(takeTail),
  });
};

const takeTail = (event) => {
  if (event.type === "gap") {
    const missed = Number(parsed(event.data)?.missed) || 0;
    return tailNotice("gap", `${missed} ${missed === 1 ? "event was" : "events were"} skipped: this page was too slow for them`);
  }
  const text = at("filter-text").value.trim().toLowerCase();
  if (text !== "" && !event.data.toLowerCase().includes(text)) return;
  tailReceived += 1;
  second.received += 1;
  if (second.shown >= SAMPLE) return;
  second.shown += 1;
  tailRow({ ...event, time: new Date() });
};

const tailNotice = (type, data) => tailRow({ type, data, time: new Date(), notice: true });

const tailRow = (entry) => {
  tailRows.push(entry);
  if (!tailDrawing) requestAnimationFrame(drawTail);
  tailDrawing = true;
};

const drawTail = () => {
  tailDrawing = false;
  const list = at("events");
  list.prepend(...tailRows.slice(-MAX_ROWS).reverse().map(row));
  tailRows = [];
  while (list.childElementCount > MAX_ROWS) list.lastElementChild.remove();
  at("tail-empty").hidden = list.childElementCount > 0;
};

setInterval(() => {
  const { received, shown } = second;
  second = { received: 0, shown: 0 };
  put(at("tail-count"), `${figure(tailReceived)} received`);
  const sampled = "A sample: of more than 50 events a second the rest is counted and not shown.";
  put(at("tail-sample"), received > shown ? `${sampled} In the last second ${shown} of ${figure(received)} were shown.` : sampled);
}, 1_000);

at("filter-type").append(...TYPES.map((type) => new Option(type, type)));
at("filter").addEventListener("submit", (event) => event.preventDefault());
at("filter").addEventListener("change", (event) => { if (event.target.id !== "filter-text") openTail(); });
at("pause").addEventListener("click", () => {
  tailPaused = !tailPaused;
  at("pause").setAttribute("aria-pressed", String(tailPaused));
  openTail();
});
at("clear").addEventListener("click", () => {
  at("events").replaceChildren();
  [tailReceived, tailRows] = [0, []];
  at("tail-empty").hidden = false;
});

