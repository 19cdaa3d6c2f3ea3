/**
 * The losses by name. Per sample, with f the network's outputs, p = softmax(f), σ the logistic function:
 *   mse            ½‖f − y‖²,                      gradient f − y,     Q = I,               S = I
 *   squared-error  ‖f − y‖²,                       gradient 2(f − y),  Q = 2I,              S = √2·I
 *   mean-squared   (1/r)‖f − y‖², f ∈ ℝʳ,           gradient 2(f − y)/r, Q = (2/r)I,         S = √(2/r)·I
 *   cross-entropy  −Σ_k y_k log p_k (Σ_k y_k = 1),  gradient p − y,     Q = diag(p) − ppᵀ,   S = diag(√p) − p√pᵀ
 *   bce            Σ_k log(1 + e^{f_k}) − y_k f_k,   gradient σ(f) − y,  Q = diag(σ(1 − σ)),  S = diag(√(σ(1 − σ)))
 * Q = S·Sᵀ is the Hessian with respect to f. The mean over the samples of `mean-squared` is PyTorch's `nn.MSELoss()`
 * (the mean over all entries), of `squared-error` the sum over outputs and the mean over samples; `mse` is half of
 * that, so that Q = I. The last two take logits. Factor of the cross-entropy: C. Chen, S. Reiz, C. Yu, H.-J. Bungartz,
 * G. Biros, arXiv 1910.12184.
 */
export type LossName = 'mse' | 'squared-error' | 'mean-squared' | 'cross-entropy' | 'bce';
export const LOSSES: readonly LossName[] = ['mse', 'squared-error', 'mean-squared', 'cross-entropy', 'bce'];

/**
 * q of a squared loss (q/2)‖f − y‖² of r = `outputs` outputs, whose Hessian is Q = q·I for every sample; null for the
 * other losses.
 */
export function squaredScale(loss: LossName, outputs: number): number | null {
  switch (loss) {
    case 'mse':
      return 1;
    case 'squared-error':
      return 2;
    case 'mean-squared':
      return 2 / outputs;
    default:
      return null;
  }
}
