
// The start page. Everything that is published is other people's text: it becomes text nodes here and never markup.
const NOTICES = ["gap", "expiring"];
const MAX_SHOWN = 200;
/** Screen readers are told of new events at most this often. */
const NEWS_EVERY = 5_000;

let connection = null;
let heard = 0;
let [received, missed, announced, paused, drawing] = [0, 0, 0, false, false];
let waiting = [];

// ---- the token: from the fragment, which no server is sent, or from the form; kept for this tab only

const askForToken = (problem) => {
  at("ask").hidden = false;
  at("ask-problem").textContent = problem;
  at("forget").hidden = true;
  allowPublishing(false, "Connect first.");
  at("token").value = "";
  at("token").focus();
};

const useToken = (token) => {
  connection?.abort();
  if (!/^[\x21-\x7e]+$/.test(token)) {
    show("refused", "not connected");
    return askForToken("That is no token: a token has no spaces and no letters with accents.");
  }
  sessionStorage.setItem(TOKEN, token);
  at("ask").hidden = true;
  at("forget").hidden = false;
  connect(token);
  mayPublish(token);
};

const forgetToken = (problem, state) => {
  connection?.abort();
  connection = null;
  sessionStorage.removeItem(TOKEN);
  show(problem ? "refused" : "idle", state);
  askForToken(problem);
};

// ---- the stream

const show = (state, text) => {
  if (at("state").dataset.state !== state || at("state-text").textContent !== text) {
    at("state").dataset.state = state;
    at("state-text").textContent = text;
  }
};

const connect = (token) => {
  const mine = new AbortController();
  connection = mine;
  const current = (call) => (value) => { if (connection === mine) call(value); };
  show("waiting", "connecting …");
  listen(url(`sse?events=${[...TYPES, ...NOTICES].join(",")}`), token, mine.signal, {
    open: current(() => { heard = Date.now(); show("connected", "connected"); }),
    refused: current((status) => refusedWith(status)),
    lost: current((ms) => {
      show("waiting", "reconnecting …");
      notice("connection lost", `trying again in ${(ms / 1000).toFixed(1)} s; what happens meanwhile is missed`);
    }),
    comment: current(() => { heard = Date.now(); }),
    event: current((event) => { heard = Date.now(); take(event); }),
  });
};

const refusedWith = (status) => {
  if (status === 401 || status === 403) return forgetToken("This token does not count: it is wrong, expired or revoked. Please give another one.", "token refused");
  connection = null;
  show("refused", status === 404 ? "no stream here" : `refused (${status})`);
  notice("refused", status === 404 ? "this server does not serve /sse" : `the server answered ${status}`);
};

const take = (event) => {
  if (event.type === "gap") {
    const count = Number(parsed(event.data)?.missed) || 0;
    missed += count;
    return notice("gap", `${count} ${count === 1 ? "event was" : "events were"} skipped: this page was too slow for them`);
  }
  if (event.type === "expiring") return notice("expiring", `the token ends in ${Number(parsed(event.data)?.seconds) || 0} s`);
  received += 1;
  enqueue({ ...event, time: new Date() });
};

const notice = (type, data) => enqueue({ type, data, time: new Date(), notice: true });

/** Events may come by thousands: they are drawn once per frame, and those that would scroll out at once never. */
const enqueue = (entry) => {
  waiting.push(entry);
  if (waiting.length > 2 * MAX_SHOWN) waiting = waiting.slice(-MAX_SHOWN);
  if (!drawing) requestAnimationFrame(draw);
  drawing = true;
};

// ---- what is shown

const draw = () => {
  drawing = false;
  at("count").textContent = String(received);
  at("missed").textContent = missed > 0 ? `, ${missed} missed` : "";
  if (paused || waiting.length === 0) return;
  const rows = waiting.slice(-MAX_SHOWN).reverse().map(row);
  waiting = [];
  const list = at("events");
  list.prepend(...rows);
  while (list.childElementCount > MAX_SHOWN) list.lastElementChild.remove();
  at("empty").hidden = true;
};

// ---- publishing

const sample = () => {
  const [type, library, text] = [at("kind").value, at("library").value.trim(), at("text").value];
  if (type === "message") return { type, data: { text } };
  if (type === "library-status") return { type, data: { library, message: text } };
  return { type, data: { library, medias: [{ action: "Added", media: { id: "sample", name: text, type: "video" } }] } };
};

const showAsCurl = () => {
  const body = JSON.stringify(sample()).replaceAll("'", "'\\''");
  at("as-curl").textContent = `curl ${url("api/events")} \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -d '${body}'`;
  at("library").disabled = at("kind").value === "message";
};

const allowPublishing = (allowed, text) => {
  at("publish-fields").disabled = !allowed;
  answered(text);
};

const answered = (text, good) => {
  at("publish-answer").textContent = text;
  at("publish-answer").dataset.good = good ?? "";
};

/** An empty batch publishes nothing, and is refused to whom publishing is. */
const mayPublish = async (token) => {
  const headers = authorized(token, { "content-type": "application/cloudevents-batch+json" });
  try {
    const { status } = await fetch(url("api/events"), { method: "POST", headers, body: "[]" });
    if (sessionStorage.getItem(TOKEN) !== token || status === 401) return;
    allowPublishing(status !== 403, status === 403 ? "This token may listen, and not publish." : "");
  } catch {
    allowPublishing(true, "");
  }
};

const publish = async () => {
  const headers = authorized(sessionStorage.getItem(TOKEN) ?? "", { "content-type": "application/json" });
  answered("…");
  try {
    const response = await fetch(url("api/events"), { method: "POST", headers, body: JSON.stringify(sample()) });
    const answer = parsed(await response.text()) ?? {};
    if (response.status === 401) return forgetToken("This token does not count any more. Please give another one.", "token refused");
    answered(response.ok ? `Accepted as number ${answer.order}.` : `${response.status}: ${answer.error ?? "refused"}`, response.ok);
  } catch {
    answered("The server cannot be reached.", false);
  }
};

// ---- the page comes to life

at("ask-form").addEventListener("submit", (event) => { event.preventDefault(); useToken(at("token").value.trim()); });
at("publish").addEventListener("submit", (event) => { event.preventDefault(); publish(); });
at("publish").addEventListener("input", showAsCurl);
at("forget").addEventListener("click", () => forgetToken("", "not connected"));
at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  draw();
});
at("clear").addEventListener("click", () => {
  at("events").replaceChildren();
  [received, missed, announced, waiting] = [0, 0, 0, []];
  at("empty").hidden = false;
  draw();
});
addEventListener("hashchange", () => {
  const token = takeFragment();
  if (token !== null) useToken(token);
});
setInterval(() => {
  if (received > announced) at("news").textContent = `${received - announced} new events`;
  announced = received;
}, NEWS_EVERY);
setInterval(() => {
  const silent = Math.round((Date.now() - heard) / 1000);
  at("state").title = at("state").dataset.state === "connected" ? `heard from the server ${silent} s ago` : "";
}, 1_000);
for (const place of document.querySelectorAll("[data-url]")) place.textContent = url(place.dataset.url);
showAsCurl();
const given = takeFragment() ?? sessionStorage.getItem(TOKEN);
if (given) useToken(given);
else askForToken("");
