import { connect, createServer, type Server, type Socket } from 'node:net';
import { encodeFrame, type Frame, FrameReader, maximumReplyPayloadBytes } from '@muster/wire-codec';
import { atTheEnd } from './cleanup.ts';

/** A host on loopback that is not the one that it seems to be. Returns its port. */
async function listen(accept: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atTheEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the fake host has no port');
  return address.port;
}

/** A host that says the same to everybody who says anything. */
export function hostThatRepeats(bytes: Uint8Array): Promise<number> {
  return listen((socket) => socket.once('data', () => socket.write(bytes)));
}

/** A host that hands everything on to a real one, and changes what that one answers. */
export function hostBetween(port: number, change: (reply: Frame) => Uint8Array): Promise<number> {
  return listen((client) => {
    const host = connect({ host: '127.0.0.1', port, noDelay: true });
    const reader = new FrameReader(maximumReplyPayloadBytes);
    host.on('error', () => client.destroy());
    host.on('close', () => client.destroy());
    client.on('close', () => host.destroy());
    client.on('data', (chunk) => host.write(chunk));
    host.on('data', (chunk) => {
      for (const frame of reader.push(chunk).frames) client.write(encodeFrame(frame.type, change(frame)));
    });
  });
}
