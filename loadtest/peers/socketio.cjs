// A Socket.IO server as a target of the load tester: what is posted goes to everybody, as the event `medias`.
//
//   npm install --prefix /tmp/socketio socket.io@4
//   NODE_PATH=/tmp/socketio/node_modules node loadtest/peers/socketio.cjs 8600

const http = require("node:http");
const { Server } = require("socket.io");

const server = http.createServer((request, response) => {
  if (request.method !== "POST") return response.writeHead(404).end();
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    io.emit("medias", JSON.parse(Buffer.concat(pieces).toString()));
    response.writeHead(204).end();
  });
});
const io = new Server(server);
server.listen(Number(process.argv[2] ?? 8600), "127.0.0.1");
