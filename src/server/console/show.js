// The console's own ways to ask and to show. Names of users, clients and libraries are other people's text: text nodes, never markup.

/** The server's answer said no: `status` 0 when it could not be asked. */
class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const api = async (path, method = "GET") => {
  const token = sessionStorage.getItem(TOKEN);
  if (token === null) throw new Refused(401, "signed out");
  let response;
  try {
    response = await fetch(url(path), { method, headers: authorized(token, { accept: "application/json" }), cache: "no-store", redirect: "error" });
  } catch {
    throw new Refused(0, "the server cannot be reached");
  }
  const answer = parsed(await response.text());
  if (!response.ok) throw new Refused(response.status, answer?.error ?? `the server answered ${response.status}`);
  return answer ?? {};
};

const query = (fields) => {
  const given = Object.entries(fields).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
};

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const figure = (value) => (typeof value !== "number" ? "–" : (value >= 100 ? whole : fine).format(value));
const millis = (value) => {
  if (typeof value !== "number") return "–";
  if (value < 1) return `${Math.round(value * 1_000)} µs`;
  return value < 1_000 ? `${value < 10 ? fine.format(value) : whole.format(value)} ms` : `${fine.format(value / 1_000)} s`;
};
const since = (ms) => {
  const seconds = Math.max(0, Math.round((Date.now() - ms) / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
};
const DIALECTS = { redseat: "RedSeat /sse", plex: "Plex", mediabrowser: "MediaBrowser", audiobookshelf: "Audiobookshelf" };
const protocol = (dialect) => DIALECTS[dialect] ?? dialect;
const put = (place, text) => { if (place.textContent !== text) place.textContent = text; };
const mark = (place, state) => { if ((place.dataset.state ?? "") !== state) place.dataset.state = state; };

/**
 * Brings a list of elements to what `items` say and touches nothing that stays, so that focus and selection survive: `make(item)`
 * gives a new element, `update(element, item)` its present text. While one of them has the focus the order stays, too.
 */
const fill = (parent, items, key, make, update) => {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    const child = old.get(name) ?? Object.assign(make(item), {});
    child.dataset.key = name;
    old.delete(name);
    update(child, item);
    return child;
  });
  for (const gone of old.values()) gone.remove();
  const keep = parent.contains(document.activeElement);
  wanted.forEach((child, index) => {
    if (child.parentElement !== parent) parent.append(child);
    else if (!keep && parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
};

/** A row of figures; `cells` are `[text, is a figure, state]`. */
const cellsInto = (line, cells) => {
  while (line.childElementCount < cells.length) line.append(element("td", cells[line.childElementCount][1] ? "figure" : "", ""));
  cells.forEach(([text, , state], index) => {
    put(line.children[index], text);
    mark(line.children[index], state ?? "");
  });
};
const table = (id, items, key, cells) =>
  fill(at(id), items, key, () => document.createElement("tr"), (line, item) => cellsInto(line, cells(item)));

/** Runs `work` at most once in `ms`, the last time after the last call. */
const atMostEvery = (ms, work) => {
  let [timer, last] = [null, -Infinity];
  return () => {
    timer ??= setTimeout(() => {
      [timer, last] = [null, Date.now()];
      work();
    }, Math.max(0, last + ms - Date.now()));
  };
};

