/** The same events and the same business row for everybody. */
export const customers = 2_000;
export const orderOf = (index: number): { orderId: string; customerId: string; pence: number } => ({
  orderId: `o${index}`,
  customerId: `c${index % customers}`,
  pence: 100 + (index % 900),
});

export const businessTable =
  "create table accounts (id text primary key, changes int not null default 0); insert into accounts select 'a' || n from generate_series(0, 9999) n";
/** Each client has rows of its own, so that row locks don't decide the result. */
export const businessStatement = 'update accounts set changes = changes + 1 where id = $1';
export const businessRow = (client: number, turn: number): string =>
  `a${(client * 300 + (turn % 300)) % 10_000}`;

/** Runs `clients` loops side by side until the time is over; answers how often `work` ended. */
export const runClients = async (
  { clients, seconds }: { clients: number; seconds: number },
  work: (client: number, turn: number) => Promise<unknown>,
): Promise<number> => {
  const until = performance.now() + seconds * 1000;
  let done = 0;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let turn = 0; performance.now() < until; turn += 1) {
        await work(client, turn);
        done += 1;
      }
    }),
  );
  return done;
};

/** Poisson arrivals: waits between 0 and several times the mean, as real traffic does. */
export const poissonWaitMs = (perSecond: number): number => (-Math.log(1 - Math.random()) * 1000) / perSecond;
