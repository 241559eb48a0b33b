import { loopback } from './ports.ts';

/** A probe that asks a plain HTTP port of loopback and takes 200 for a yes. */
export function httpProbe(port: number, path: string): (signal: AbortSignal) => Promise<boolean> {
  const url = `http://${loopback}:${port}${path}`;
  return async (signal) => {
    const response = await fetch(url, { signal, headers: { connection: 'close' } });
    await response.arrayBuffer();
    return response.status === 200;
  };
}
