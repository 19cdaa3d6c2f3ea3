/** The Matérn kernel of smoothness 5/2, k = (1 + s + s²/3)·exp(−s), s = √5·r/h. */
import { radialForm, type KernelForm } from './kernel.js';

/** (1 + √5 r/h + 5r²/(3h²))·exp(−√5 r/h), r = ‖x − y‖. */
export const matern52: KernelForm = radialForm(
  '(1 + sqrt(5)*r/h + 5*r^2/(3*h^2))*exp(-sqrt(5)*r/h)',
  ({ bandwidth: h }) => ({
    form: 'matern52',
    factor: -Math.sqrt(5) / h,
  }),
);
