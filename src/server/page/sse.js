// Server-sent events over `fetch`, because `EventSource` cannot send `Authorization` and a token in an address is
// written down by too many programs. Parsing follows the HTML standard, section 9.2.6.

/** Takes text in pieces of any size; calls `on.event({type, data})`, `on.retry(ms)` and `on.comment(text)`. */
const sseParser = (on) => {
  let [rest, afterCr, type, data] = ["", false, "", []];
  const line = (text) => {
    if (text === "") {
      if (data.length > 0) on.event({ type: type || "message", data: data.join("\n") });
      [type, data] = ["", []];
      return;
    }
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (colon === 0) on.comment(value);
    else if (field === "event") type = value;
    else if (field === "data") data.push(value);
    else if (field === "retry" && /^[0-9]+$/.test(value)) on.retry(Number(value));
  };
  return (piece) => {
    // A carriage return ends its line at once; a line feed right behind it, even in the next piece, belongs to it.
    const text = afterCr && piece.startsWith("\n") ? piece.slice(1) : piece;
    if (piece !== "") afterCr = piece.endsWith("\r");
    const lines = (rest + text).split(/\r\n|\r|\n/);
    rest = lines.pop();
    lines.forEach(line);
  };
};

const MAX_WAIT = 30_000;

/** Keeps a stream open until `signal` aborts or the server refuses: calls `on.open`, `on.refused(status)`, `on.lost(ms)`. */
const listen = async (address, token, signal, on) => {
  let [wait, failures] = [1_000, 0];
  while (!signal.aborted) {
    try {
      const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
      const response = await fetch(address, { headers, signal, cache: "no-store", redirect: "error" });
      if (response.status >= 400 && response.status < 500 && response.status !== 429) return on.refused(response.status);
      if (response.status !== 200) throw new Error(`answered ${response.status}`);
      on.open();
      const alive = (call) => (value) => { failures = 0; call(value); };
      const parse = sseParser({ event: alive(on.event), comment: alive(on.comment), retry: (ms) => { wait = Math.min(ms, MAX_WAIT); } });
      const [reader, decoder] = [response.body.getReader(), new TextDecoder()];
      for (let part = await reader.read(); !part.done; part = await reader.read()) parse(decoder.decode(part.value, { stream: true }));
    } catch {
      // Whatever went wrong on the way: the next attempt will tell whether it still does.
    }
    if (signal.aborted) return;
    // The server's own hint the first time, doubled with every failure in a row; spread, so that not all come at once.
    const pause = Math.min(wait * 2 ** failures, MAX_WAIT) * (failures === 0 ? 1 : 0.75 + Math.random() / 4);
    failures = Math.min(failures + 1, 10);
    on.lost(pause);
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
};
