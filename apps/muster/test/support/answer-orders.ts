/** What a child process of a test answers to an order. */
export type ChildAnswer<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly message: string };

/** Answers the orders that this process gets, until its parent is gone. */
export function answerOrders<Order>(act: (order: Order) => Promise<unknown>): void {
  const answer = (value: ChildAnswer<unknown>) => process.send?.(value);
  process.on('message', (order: Order) => {
    act(order).then(
      (value) => answer({ ok: true, value: value ?? null }),
      (error: Error) => answer({ ok: false, message: error.message }),
    );
  });
  process.on('disconnect', () => process.exit());
}
