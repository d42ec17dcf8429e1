// The console. One stream brings figures and says what has changed; the rest is asked for when it has.
const STREAM = "sse?events=stats,presence,scan,library,library-status,expiring";
/** Figures come once a second; after this long without any the page says so. */
const STALE = 5_000;

let stream = null;
let told = 0;

const show = (state, text) => {
  mark(at("state"), state);
  put(at("state-text"), text);
};

const signOut = (problem, text) => {
  stream?.abort();
  stream = null;
  sessionStorage.removeItem(TOKEN);
  openTail();
  for (const section of document.querySelectorAll(".board")) section.hidden = true;
  show(problem ? "refused" : "idle", text);
  at("ask").hidden = false;
  put(at("ask-problem"), problem);
  at("forget").hidden = true;
  at("token").value = "";
  at("token").focus();
};

const signIn = async (token) => {
  if (!/^[\x21-\x7e]+$/.test(token)) return signOut("That is no token: a token has no spaces and no letters with accents.", "not connected");
  sessionStorage.setItem(TOKEN, token);
  show("waiting", "connecting …");
  try {
    await api("api/shards");
  } catch (error) {
    if (refused(error)) return;
  }
  if (sessionStorage.getItem(TOKEN) !== token) return;
  at("ask").hidden = true;
  at("forget").hidden = false;
  for (const section of document.querySelectorAll(".board")) section.hidden = false;
  follow(token);
  openTail();
  refresh();
};

/** Whether this answer ends the session: the token does not count, or is not an administrator's. */
const refused = ({ status }) => {
  if (sessionStorage.getItem(TOKEN) === null) return true;
  if (status === 401) signOut("This token does not count: it is wrong, expired or revoked. Please give another one.", "token refused");
  else if (status === 403) signOut("This token is not an administrator's. The console needs one that is.", "token refused");
  return status === 401 || status === 403;
};

const follow = (token) => {
  stream?.abort();
  const mine = new AbortController();
  stream = mine;
  const current = (call) => (value) => { if (stream === mine) call(value); };
  listen(url(STREAM), token, mine.signal, {
    open: current(() => { told = Date.now(); show("connected", "connected"); refresh(); }),
    comment: () => {},
    refused: current((status) => { if (!refused({ status })) show("refused", status === 404 ? "no stream here" : `refused (${status})`); }),
    lost: current(() => show("waiting", "reconnecting …")),
    event: current(hear),
  });
};

const hear = ({ type, data }) => {
  if (type === "stats") {
    told = Date.now();
    const stats = parsed(data)?.Stats;
    if (stats) takeStats(stats);
    show("connected", "connected");
  } else if (type === "presence") askOnline();
  else if (type === "expiring") put(at("done"), `The token ends in ${Number(parsed(data)?.seconds) || 0} s.`);
  else askLibraries();
};

/** Asks, and leaves what is shown as it is when no answer comes: the state says that already. */
const asking = (work) => async () => {
  if (sessionStorage.getItem(TOKEN) === null) return;
  try {
    await work();
  } catch (error) {
    if (error instanceof Refused) refused(error);
    else throw error;
  }
};
const askOnline = atMostEvery(1_000, asking(showOnline));
const askLibraries = atMostEvery(500, asking(showLibraries));
const askSlowest = atMostEvery(500, asking(showSlowest));
const refresh = () => { askOnline(); askLibraries(); askSlowest(); };

setInterval(() => {
  if (stream === null || document.hidden) return;
  askSlowest();
  if (at("state").dataset.state === "connected" && Date.now() - told > STALE) show("waiting", "no figures for some seconds");
}, SLOW_EVERY);
// Presence is told late, so that nobody flickers; connections of one user more or less are not told at all.
setInterval(() => { if (stream !== null && !document.hidden) askOnline(); }, 10_000);

at("ask-form").addEventListener("submit", (event) => { event.preventDefault(); signIn(at("token").value.trim()); });
at("forget").addEventListener("click", () => signOut("", "not connected"));
addEventListener("hashchange", () => {
  const token = takeFragment();
  if (token !== null) signIn(token);
});
const given = takeFragment() ?? sessionStorage.getItem(TOKEN);
if (given) signIn(given);
else signOut("", "not connected");
