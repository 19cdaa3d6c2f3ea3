/**
 * What preconditioners of networks need of their subject.
 */
import { OptionError } from '../../core/errors.js';
import type { Model } from '../../network/model.js';
import type { PreconditionerName, Subject } from './preconditioner.js';

/** The network behind the matrix. Throws OptionError where there is none. */
export function modelOf({ model }: Subject, name: PreconditionerName): Model {
  if (model === undefined)
    throw new OptionError(
      `Preconditioner '${name}' follows the layers of a network, and this operator brings none: pass the model, ` +
        'or the Gauss–Newton operator of one.',
      { option: 'preconditioner', name },
    );
  return model;
}
