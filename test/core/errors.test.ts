/** The typed errors: what tells them apart stays when a minifier renames their classes. */
import { expect, it } from 'vitest';
import * as errors from '#hmatrix/core/errors.js';
import { throughWorker } from './through-worker.js';

type ErrorClass = new (message: string, data?: Readonly<Record<string, unknown>>) => errors.HmatrixError;
const classes = Object.entries(errors).filter(([name]) => name !== 'HmatrixError' && name.endsWith('Error')) as [
  string,
  ErrorClass,
][];

it.each(classes)('%s_has_its_name_in_a_minified_bundle_too', (name, Class) => {
  expect(new Class('message').name).toBe(name);
  // As a minifier leaves it: a class without the name that it is exported under.
  const Renamed = { a: class extends Class {} }.a;
  expect(new Renamed('message').name).toBe(name);
});

it.each(classes)('%s_keeps_its_class_on_the_way_from_a_worker_that_has_another_copy_of_the_library', (name, Class) => {
  const { message, code } = new Class('what went wrong');
  const foreign = Object.assign(new Error(message), { name, code, data: { row: 3 } });
  const revived = throughWorker(foreign, 2) as errors.HmatrixError;
  expect(revived).toBeInstanceOf(Class);
  expect([revived.name, revived.message, revived.data]).toEqual([name, message, { row: 3, worker: 2 }]);
});

it('other_errors_stay_foreign', () => {
  for (const error of [
    new TypeError('x'),
    Object.assign(new Error('x'), { code: 'ENOENT' }),
    Object.assign(new Error('x'), { name: 'revive', code: 'a', data: {} }),
  ]) {
    expect(throughWorker(error, 1)).toBeInstanceOf(errors.WorkerError);
  }
});
