// Loaded into Azurite by local_host/azurite.py: how it ends.
import http from "node:http";

// Whoever started it holds its standard input; when that closes, also because of a kill, Azurite stops and saves.
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM")).on("error", () => {}).resume();
process.stdin.unref?.(); // it alone keeps nothing alive

// To stop, Azurite would wait until its clients have closed their connections, which they keep for later.
const close = http.Server.prototype.close;
http.Server.prototype.close = function (done) {
  const closing = close.call(this, done);
  this.closeAllConnections();
  return closing;
};
