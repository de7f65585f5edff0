import { FactlineError } from '../../foundation/index.ts';
import { showParked } from '../../operations/index.ts';
import { personOf } from '../actor.ts';
import type { Command, CommandContext } from '../command.ts';
import { databaseOptions, withDatabase } from '../connection.ts';
import { answerFields, carryOut, type RequestVerb, waitOptions } from '../requests.ts';
import { parkedNumber } from './quarantine.ts';

export const quarantineResolve: Command = {
  path: ['quarantine', 'resolve'],
  summary: 'Say whether an effect of unknown outcome happened.',
  description:
    "For events parked because the process ended during an outside call, of an effect with onUnknown: 'park'. Find out from the other side, then say so; the event goes on with that result, or calls again.",
  arguments: [{ name: 'ID', help: 'The number from `quarantine list`.', required: true }],
  options: [
    { name: 'happened', help: 'The call took effect.' },
    { name: 'did-not-happen', help: 'It did not: the handler calls again.' },
    { name: 'result', value: 'JSON', help: 'With --happened: what the call returned. Default: nothing.' },
    { name: 'effect', value: 'NAME', help: 'Which effect, when several are open.' },
    {
      name: 'by',
      value: 'NAME',
      help: 'Who says so; stays on record. Default: FACTLINE_ACTOR, else the user of this machine.',
    },
    { name: 'reason', value: 'TEXT', help: 'How it is known; stays on record.' },
    ...waitOptions,
    ...databaseOptions,
  ],
  examples: [
    {
      line: `factline quarantine resolve 7 --happened --result '{"charge":"ch_1"}'`,
      does: 'the handler goes on with this result',
    },
    {
      line: 'factline quarantine resolve 7 --did-not-happen',
      does: 'the handler calls again, with the same idempotency key',
    },
  ],
  json: answerFields,
  run: (context) => {
    const id = parkedNumber(context.given.arguments[0]);
    const { verb, args } = saidOf(context);
    return withDatabase(context, async ({ database }) => {
      const { consumerId, consumer } = await showParked(database.operations, id);
      const request = {
        consumer: { id: consumerId, name: consumer },
        verb,
        parkedId: id,
        arguments: args,
        ...personOf(context),
      };
      return carryOut(context, database.operations, [request]);
    });
  },
};

const saidOf = ({ given }: CommandContext): { verb: RequestVerb; args: Record<string, unknown> } => {
  const happened = given.has('happened');
  if (happened === given.has('did-not-happen')) {
    throw new FactlineError('OPTION_INVALID', {
      option: '--happened',
      expected: 'exactly one of --happened and --did-not-happen',
      actual: happened ? 'both' : 'neither',
    });
  }
  const effect = given.text('effect');
  const result = given.text('result');
  const args: Record<string, unknown> = effect === undefined ? {} : { effect };
  if (result !== undefined) args['result'] = parseJson(result);
  return { verb: happened ? 'effect-happened' : 'effect-did-not-happen', args };
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FactlineError(
      'OPTION_INVALID',
      { option: '--result', expected: 'JSON', actual: text },
      { cause: error },
    );
  }
};
