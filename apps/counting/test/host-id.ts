/** The host that the tests' events come from. */
export const hostId = '3f2b8c1e-7a4d-4e6f-9b0a-1c2d3e4f5a6b';
