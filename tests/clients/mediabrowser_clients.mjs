// Real clients of the MediaBrowser family from npm, each in a process of its own and used as its own users do:
//
//     node mediabrowser_clients.mjs sdk|apiclient URL DEVICE
//
// Orders and what is heard are lines of JSON, as `mediabrowser_clients.py` says.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const heard = ({ MessageType, MessageId, Data }) => say({ heard: MessageType, id: MessageId, data: Data });

// As in a browser: nobody need listen for an error. (Node has a WebSocket of its own from version 22 on.)
globalThis.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address);
    this.on('error', () => {});
  }
};

// npm @jellyfin/sdk.
async function sdk(url, device) {
  const { Jellyfin } = await import('@jellyfin/sdk');
  const { OutboundWebSocketMessageType } = await import('@jellyfin/sdk/lib/websocket/index.js');
  const { getSessionApi } = await import('@jellyfin/sdk/lib/utils/api/session-api.js');
  const { getSystemApi } = await import('@jellyfin/sdk/lib/utils/api/system-api.js');
  const { getUserApi } = await import('@jellyfin/sdk/lib/utils/api/user-api.js');
  const jellyfin = new Jellyfin({ clientInfo: { name: 'A client, made with the SDK', version: '1.2.3' }, deviceInfo: { name: 'Anna’s "TV"', id: device } });
  const api = jellyfin.createApi(url);
  // Each keeps the token it was made with.
  const apis = { session: getSessionApi, system: getSystemApi, user: getUserApi };
  let unsubscribe;
  return {
    discover: () => jellyfin.discovery.getRecommendedServers([url]),
    log_in: async (name, password) => {
      const { data: { User, AccessToken, ServerId, SessionInfo } } = await api.authenticateUserByName(name, password);
      api.update({ accessToken: AccessToken });
      return { user: User.Id, token: AccessToken, server: ServerId, session: SessionInfo };
    },
    use: (user, token) => api.update({ accessToken: token }),
    listen: (types = Object.values(OutboundWebSocketMessageType)) => {
      unsubscribe = api.subscribe(types, heard);
      api.webSocket.onStatusChange((status) => say({ status }));
    },
    unsubscribe: () => unsubscribe(),
    call: async (part, method, ...parameters) => (await apis[part](api)[method](...parameters)).data,
    stop: () => api.webSocket?.disconnect(),
  };
}

// npm jellyfin-apiclient, which is made for browsers.
async function apiclient(url, device) {
  const kept = new Map();
  globalThis.localStorage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value), removeItem: (name) => kept.delete(name) };
  globalThis.window = globalThis.self = globalThis;
  console.log = console.debug = () => {};
  const { ApiClient, ConnectionManager, Credentials, Events } = createRequire(import.meta.url)('jellyfin-apiclient');
  const capabilities = { PlayableMediaTypes: ['Audio', 'Video'], SupportedCommands: ['DisplayMessage', 'SetVolume'], SupportsMediaControl: true };
  const options = { enableAutomaticBitrateDetection: false };
  const manager = new ConnectionManager(new Credentials(), 'Jellyfin Web', '10.11.0', 'Firefox', device, capabilities);
  let client;
  const listenTo = (one) => {
    client = one;
    Events.on(client, 'message', (_, message) => heard(message));
    for (const name of ['websocketopen', 'websocketclose', 'websocketerror']) Events.on(client, name, () => say({ status: name }));
  };
  return {
    // It opens its socket and says what it can do as soon as it is logged in, the one not waiting for the other.
    log_in: async (name, password) => {
      const { State, ApiClient: found } = await manager.connectToAddress(url, options);
      if (State === 'Unavailable') throw new Error(State);
      listenTo(found);
      const { User, AccessToken, ServerId, SessionInfo } = await client.authenticateUserByName(name, password);
      return { user: User.Id, token: AccessToken, server: ServerId, session: SessionInfo, state: State };
    },
    use: (user, token) => {
      listenTo(new ApiClient(url, 'Jellyfin Web', '10.11.0', 'Firefox', device));
      client.enableAutomaticBitrateDetection = false;
      client.setAuthenticationInfo(token, user);
    },
    come_back: async () => (await manager.connect(options)).State,
    listen: () => client.ensureWebSocket(),
    send: (name, data) => client.sendMessage(name, data),
    call: async (method, ...parameters) => {
      const answer = await client[method](...parameters);
      return answer instanceof Response ? answer.status : answer;
    },
    stop: () => client?.closeWebSocket(),
  };
}

// Of a refusal what a test can compare.
const reason = (error) => `${error?.response?.status ?? error?.status ?? error?.message ?? error}`;
process.on('unhandledRejection', (error) => say({ unhandled: reason(error) }));

const [kind, url, device] = process.argv.slice(2);
const client = await { sdk, apiclient }[kind](url, device);
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  Promise.resolve()
    .then(() => client[order.do](...order.with))
    .then((result) => say({ id: order.id, result: result ?? null }), (error) => say({ id: order.id, failed: reason(error) }));
}
