/** The Laplace kernel, k = exp(−r/h), the exponential covariance. */
import { radialForm, type KernelForm } from './kernel.js';

/** exp(−‖x − y‖/h). */
export const laplace: KernelForm = radialForm('exp(-r/h)', ({ bandwidth: h }) => ({
  form: 'exponential',
  factor: -1 / h,
}));
