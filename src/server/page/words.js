// What the pages share: events in words, and the reader's token. Everything that is published is other people's text: it becomes
// text nodes here and never markup.
const TYPES = [
  "library", "library-status", "medias", "upload_progress", "convert_progress", "episodes", "series", "movies", "people", "tags",
  "collections", "playlists", "backups", "backups-files", "media_progress", "media_rating", "playback", "transcode", "scan", "activity",
  "preference", "reachability", "background-queue", "log", "server", "message", "user", "notification",
  "remote-control", "presence", "request",
];
const TOKEN = "fanfare.token";

const at = (id) => document.getElementById(id);
const url = (path) => new URL(path, location.href.split(/[?#]/)[0]).href;
const element = (name, className, text) => Object.assign(document.createElement(name), { className, textContent: text });
const authorized = (token, headers) => ({ authorization: `Bearer ${token}`, ...headers });

/** The token of the fragment, which no server is sent; it leaves the address at once. */
const takeFragment = () => {
  const given = /^#(?:.*&)?token=([^&]*)/.exec(location.hash);
  if (given === null) return null;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    return decodeURIComponent(given[1]).trim();
  } catch {
    return given[1];
  }
};

// ---- an event as a line of a list

const row = (entry) => {
  const item = element("li", "new", "");
  const time = element("time", "", entry.time.toLocaleTimeString([], { hour12: false }));
  time.dateTime = entry.time.toISOString();
  const head = [time, element("span", "type", entry.type)];
  if (entry.notice) {
    const line = element("div", "notice", "");
    line.append(...head, element("span", "what", entry.data));
    item.append(line);
    return item;
  }
  const value = parsed(entry.data);
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.append(...head, element("span", "what", inWords(value) || entry.data.slice(0, 300)));
  details.append(summary);
  // Most are never opened: the whole text is laid out only when one is.
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    const whole = element("pre", "", value === undefined ? entry.data : JSON.stringify(value, null, 2));
    whole.tabIndex = 0; // it may have to be scrolled, also by those who have only keys
    details.append(whole);
  });
  item.append(details);
  return item;
};

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** A line for people: what was done to what, or the text. */
const inWords = (value) => {
  if (typeof value !== "object" || value === null) return "";
  const body = Object.values(value)[0];
  if (typeof body !== "object" || body === null) return "";
  const changes = Object.values(body).find(Array.isArray) ?? [body];
  const words = changes.slice(0, 3).map(changeInWords).filter(Boolean);
  if (changes.length > 3) words.push(`and ${changes.length - 3} more`);
  const library = typeof body.library === "string" ? ` – ${body.library}` : "";
  return words.length > 0 ? words.join(", ") + library : "";
};

const changeInWords = (change) => {
  if (typeof change !== "object" || change === null) return "";
  const named = Object.values(change).find((part) => typeof part === "object" && part !== null && (part.name || part.id));
  const subject = named ? named.name ?? named.id : change.text ?? change.message ?? change.name ?? change.mediaId ?? change.file;
  const words = [change.action, change.state, change.status, subject].filter((part) => typeof part === "string" || typeof part === "number");
  if (typeof change.progress === "number") words.push(`${change.progress} %`);
  return words.join(" ").slice(0, 300);
};

