// Libraries with their scans, and who is online. Events say when to ask again; the server's answer is what is shown.

const libraryItem = () => {
  const item = document.createElement("li");
  item.append(element("strong", "", ""), element("span", "soft", ""));
  return item;
};

const RUNNING = ["started", "progress"];
const showLibrary = (item, library) => {
  const [name, text] = item.children;
  const scan = library.scan ?? null;
  put(name, library.name ?? library.id);
  const kind = [library.kind === "other" ? "" : library.kind, library.watched ? "watched" : ""].filter(Boolean).join(", ");
  const percent = typeof scan?.progress === "number" ? ` ${figure(scan.progress)} %` : "";
  const scanned = scan === null ? "" : RUNNING.includes(scan.state) ? `scanning${percent}` : `scan ${scan.state}`;
  put(text, [kind, scanned].filter(Boolean).join(" · "));
  let bar = item.querySelector("progress");
  if (scan === null || !RUNNING.includes(scan.state)) return bar?.remove();
  if (bar === null) {
    bar = Object.assign(document.createElement("progress"), { max: 100 });
    item.append(bar);
  }
  bar.setAttribute("aria-label", `Scan of ${library.name ?? library.id}`);
  if (typeof scan.progress === "number") bar.value = scan.progress;
  else bar.removeAttribute("value");
};

const showLibraries = async () => {
  const { libraries = [] } = await api("api/libraries");
  at("libraries-empty").hidden = libraries.length > 0;
  fill(at("libraries"), libraries, ({ id }) => id, libraryItem, showLibrary);
};

const showOnline = async () => {
  const { users = [], next } = await api("api/online");
  at("online-empty").hidden = users.length > 0;
  put(at("online-count"), users.length === 0 ? "" : `${users.length}${next ? " and more" : ""} ${users.length === 1 && !next ? "user" : "users"}`);
  fill(at("online"), users, ({ user }) => user, libraryItem, (item, user) => {
    put(item.children[0], user.name ?? user.user);
    put(item.children[1], `${figure(user.connections)} ${user.connections === 1 ? "connection" : "connections"}`);
  });
};

