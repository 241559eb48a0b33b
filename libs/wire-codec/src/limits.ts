/** The most payload bytes of a frame that a client sends (DESIGN 5). */
export const maximumRequestPayloadBytes = 4096;

/** The most payload bytes of a frame that a gateway sends (DESIGN 5). */
export const maximumReplyPayloadBytes = 8192;

/** Length of the nonce that binds a reply to its request (DESIGN 3). */
export const nonceBytes = 32;

/** The most bytes that a ping carries and its pong repeats. */
export const maximumPingBytes = 64;

/** The most bytes of UTF-8 in the name and version of a client software. */
export const maximumClientVersionBytes = 64;
