// A client that does what document 004 says, message by message, and nothing else. Its snippets are word for word.
import { WebSocket } from 'ws';

import { until } from './patience.mjs';

// "The client name must match the value used in http authorization headers."
export const IDENTITY = {

    MessageType: "Identity",

    Data: "Dashboard|df787898fdsf7ds80|1.0.0.0"
};

export class DocumentClient {
  kind = 'document 004';
  said = [];

  constructor(url, { token, identity = IDENTITY.Data, device = identity.split('|')[1], binary = false, from, headers } = {}) {
    Object.assign(this, { url, token, identity, device, binary, from, headers });
  }

  // A request as its clients of 2013 sent them; the token is what today's server asks for beside it.
  async asks(method, path, body) {
    const [client, id, version, name = 'Firefox'] = this.identity.split('|');
    const authorization = `MediaBrowser Client="${client}", DeviceId="${id}", Device="${name}", Version="${version}"${this.token ? `, Token="${this.token}"` : ''}`;
    const answer = await fetch(`${this.url}${path}`, { method, headers: { authorization, ...(body && { 'content-type': 'application/json' }) }, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, text, json: () => JSON.parse(text) };
  }

  // "Make a call to /System/Info. WebSocketPortNumber is the port hosting the web socket. From there the connection url is"
  async finds() {
    const { WebSocketPortNumber } = (await this.asks('GET', '/System/Info')).json();
    const { hostname } = new URL(this.url);
    return `ws://${hostname}:${WebSocketPortNumber}/mediabrowser`;
  }

  // "As soon as the connection is established, an identification message should be sent by the client"
  async listens(identify = true) {
    this.socket = new WebSocket(await this.finds(), { localAddress: this.from, headers: this.headers });
    this.socket.on('message', (data, binary) => {
      const { MessageType, MessageId, Data } = JSON.parse(data);
      this.said.push({ heard: MessageType, id: MessageId, data: Data, binary });
    });
    this.ended = new Promise((resolve) => this.socket.on('close', resolve));
    await new Promise((resolve, reject) => this.socket.on('open', resolve).on('error', reject));
    if (identify) this.sends('Identity', this.identity);
    return this;
  }

  sends(MessageType, Data) {
    this.socket.send(JSON.stringify({ MessageType, Data }), { binary: this.binary });
  }

  heard(type) {
    return this.said.filter(({ heard }) => (type ? heard === type : heard)).map(({ data }) => data);
  }

  hears(type, holds = () => true, what = '') {
    return until(() => `${this.kind} hears ${type} ${what}, but heard ${JSON.stringify(this.said.slice(-20))}`, () => this.heard(type).some(holds));
  }

  forget() { this.said.length = 0; }

  async stop() { this.socket?.terminate(); }
}
