/**
 * The process that the host is compared with: it answers each request frame with a frame as long as the host's reply,
 * filled with the request itself, and does nothing else.
 */
import { type AddressInfo, createServer } from 'node:net';
import { encodeFrame, FrameReader, FrameType, maximumRequestPayloadBytes } from '@muster/wire-codec';
import type { Answer, ReplyBytes } from './messages.ts';

const answer = (value: Answer<number>) => process.send?.(value);
let replyBytes: ReplyBytes = { first: 0, later: 0 };

const server = createServer({ noDelay: true }, (socket) => {
  const reader = new FrameReader(maximumRequestPayloadBytes);
  let replies = 0;
  socket.on('error', () => undefined); // 'close' follows
  socket.on('data', (chunk) => {
    const { frames } = reader.push(chunk);
    socket.cork();
    for (const { payload } of frames) {
      const reply = Buffer.alloc(replies === 0 ? replyBytes.first : replyBytes.later);
      reply.set(payload.subarray(0, reply.length));
      socket.write(encodeFrame(FrameType.activationReply, reply));
      replies += 1;
    }
    socket.uncork();
  });
});

process.on('message', (wanted: ReplyBytes) => {
  replyBytes = wanted;
  const port = () => (server.address() as AddressInfo).port;
  if (server.listening) answer({ ok: true, value: port() });
  else server.listen(0, '127.0.0.1', 4_096, () => answer({ ok: true, value: port() }));
});
process.on('disconnect', () => process.exit());
