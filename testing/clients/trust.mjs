// Binds anonymously over LDAPS with Node's own TLS. The CA comes by NODE_EXTRA_CA_CERTS.
import { connect } from "node:tls";

const [host, port] = [process.argv[2], Number(process.argv[3])];
const socket = connect({ host, port, servername: host }, () => {
  socket.write(Buffer.from([0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0]));
});
socket.on("data", (bytes) => {
  // BindResponse, resultCode success.
  console.log(bytes[5] === 0x61 && bytes.subarray(7, 10).equals(Buffer.from([10, 1, 0])) ? "bound" : bytes);
  socket.end();
});
socket.on("error", (error) => {
  console.error(error.code);
  process.exit(1);
});
