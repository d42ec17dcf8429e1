// Who is slow, who is there, and how to be rid of one.

const SLOW_EVERY = 2_000;
let page = null;

const state = (client) => {
  if (client.lagging) return ["behind", "warn"];
  return client.blocked ? ["takes nothing now", "warn"] : ["keeps up", ""];
};
const lost = (client) => Object.entries(client).reduce((sum, [name, count]) => (name.startsWith("skipped") && typeof count === "number" ? sum + count : sum), 0);
const address = (client) => (client.address === undefined ? "–" : client.port === undefined ? client.address : `${client.address} : ${client.port}`);

const clientRow = () => {
  const line = document.createElement("tr");
  for (const isFigure of [false, false, false, false, true, true, false, false]) line.append(element("td", isFigure ? "figure" : "", ""));
  const button = element("button", "quiet", "Disconnect");
  button.type = "button";
  button.addEventListener("click", () => disconnect(line, button));
  line.append(element("td", "act", ""));
  line.lastElementChild.append(button);
  return line;
};

const showClient = (line, client) => {
  line.dataset.id = client.id;
  const losses = lost(client);
  const [words, warn] = state(client);
  cellsInto(line, [
    [client.user ?? "–"], [client.client ?? "–"], [`${protocol(client.dialect)}, ${client.outlet}`], [address(client)],
    [figure(client.waiting), true], [figure(losses), true, losses > 0 ? "warn" : ""], [words, false, warn], [since(client.opened)],
  ]);
  line.querySelector("button").setAttribute("aria-label", `Disconnect ${client.user ?? "the client"} at ${address(client)}`);
};

const disconnect = async (line, button) => {
  button.disabled = true;
  const who = line.firstElementChild.textContent;
  const place = at(line.parentElement.id === "slow" ? "done" : "found-text");
  try {
    await api(`api/connections/${encodeURIComponent(line.dataset.id)}`, "DELETE");
    answer(place, `Disconnected ${who === "–" ? "a client" : who}. It may come back.`, true);
    line.remove();
  } catch (error) {
    button.disabled = false;
    if (error.status === 404) line.remove();
    answer(place, error.status === 404 ? "That client has gone already." : `Not disconnected: ${error.message}`, error.status === 404);
  }
};

const answer = (place, text, good) => {
  put(place, text);
  place.dataset.good = good ?? "";
};

const showSlowest = async () => {
  const { connections = [] } = await api("api/connections/slowest?limit=10");
  at("slow-empty").hidden = connections.length > 0;
  at("slow-table").hidden = connections.length === 0;
  put(at("slow-count"), connections.length === 0 ? "" : `${connections.length} with something waiting, most first`);
  fill(at("slow"), connections, ({ id }) => id, clientRow, showClient);
};

const wantedClients = () => ({
  user: at("find-user").value.trim(),
  address: at("find-address").value.trim(),
  dialect: at("find-dialect").value,
  lagging: at("find-lagging").checked ? "true" : "",
});

/** A page may be empty with more behind it: the server looks at so many a call. */
const find = async (wanted, after) => {
  const found = [];
  let next = after;
  try {
    do {
      const more = await api(`api/connections${query({ ...wanted, limit: 50, after: next })}`);
      found.push(...(more.connections ?? []));
      next = more.next ?? null;
    } while (next !== null && found.length === 0);
  } catch (error) {
    return answer(at("found-text"), error.message, false);
  }
  page = { wanted, next };
  if (after === null) at("found").replaceChildren();
  for (const client of found) {
    const line = clientRow();
    showClient(line, client);
    at("found").append(line);
  }
  at("found-table").hidden = at("found").childElementCount === 0;
  at("found-more").hidden = next === null;
  at("find-all-out").hidden = wanted.user === "" || at("found").childElementCount === 0;
  const shown = at("found").childElementCount;
  answer(at("found-text"), shown === 0 ? "Nobody like that is connected." : `${shown} shown${next === null ? ", that is all of them" : ""}.`);
};

const disconnectUser = async () => {
  const { user } = page.wanted;
  try {
    const { closed } = await api(`api/connections${query({ user })}`, "DELETE");
    await find(page.wanted, null);
    answer(at("found-text"), `Disconnected ${figure(closed)} ${closed === 1 ? "client" : "clients"} of ${user}. They may come back.`, true);
  } catch (error) {
    answer(at("found-text"), `Not disconnected: ${error.message}`, false);
  }
};

at("find").addEventListener("submit", (event) => { event.preventDefault(); find(wantedClients(), null); });
at("found-more").addEventListener("click", () => find(page.wanted, page.next));
at("find-all-out").addEventListener("click", disconnectUser);

