/** The Matérn kernel of smoothness 3/2, k = (1 + s)·exp(−s), s = √3·r/h. */
import { radialForm, type KernelForm } from './kernel.js';

/** (1 + √3 r/h)·exp(−√3 r/h), r = ‖x − y‖. */
export const matern32: KernelForm = radialForm('(1 + sqrt(3)*r/h)*exp(-sqrt(3)*r/h)', ({ bandwidth: h }) => ({
  form: 'matern32',
  factor: -Math.sqrt(3) / h,
}));
