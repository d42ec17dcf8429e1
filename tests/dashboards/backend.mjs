// Somebody else who knows tokens, as `auth.callback` asks: one of them is the reader's, no other is anybody's.
import { createServer } from 'node:http';

export const VISITOR = 'token-of-visitor-0123456789abcdef0123456789';

export async function startBackend() {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const isKnown = JSON.parse(body).token === VISITOR;
    response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/json' }).end(isKnown ? '{"user":"reader"}' : '{}');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/who`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
