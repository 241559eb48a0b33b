import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChildAnswer } from './answer-orders.ts';
import { atTheEnd } from './cleanup.ts';

/** A program of `support` in a process of its own, which answers one order after the other. Ends with the test file. */
export class Child<Order extends object> {
  readonly #process: ChildProcess;

  /** @param name the file, such as `door-clients.ts`. */
  constructor(name: string) {
    this.#process = fork(fileURLToPath(new URL(name, import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ended = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()));
    atTheEnd(async () => {
      this.#process.kill('SIGKILL');
      await ended;
    });
  }

  /** The answer to an order. */
  ask<Value>(order: Order): Promise<Value> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new Error('the child process has ended'));
      this.#process.once('exit', fail);
      this.#process.once('message', (answer: ChildAnswer<Value>) => {
        this.#process.off('exit', fail);
        if (answer.ok) resolve(answer.value);
        else reject(new Error(answer.message));
      });
      this.#process.send(order);
    });
  }
}
