import type { ConsumerClass } from '../consumer-class.ts';
import type { Handler } from '../operational/index.ts';
import { createOperationalRunner } from '../operational/operational-runner.ts';
import { ExecutorRunner } from './executor-runner.ts';
import { routerHandler } from './router.ts';
import { isExecutor, type RouterDefinition } from './versions.ts';

/** What the shared engine needs of this class: a router is worked like an operational consumer, an executor in its own way. */
export const workflowClass: ConsumerClass = {
  createRunner: (definition, services) => {
    if (isExecutor(definition)) return new ExecutorRunner(definition, services);
    // The engine hands over what `sortDefinitions` made.
    const handler: Handler = routerHandler(definition as RouterDefinition, services);
    return createOperationalRunner(handler, services);
  },
};
