"""The conventions that every file of the reference keeps.

* **Order** ``N`` is the number of coefficients, ``n = 0 .. N-1``; polynomial degrees stay below ``N``;
  ``s_n = sqrt(2n+1)``.
* **Signed form.** Invariant law ``dc/dt = A c + B f``; scale law ``dc/dt = (A c + B f)/t``. A stable system has its
  spectrum in the left half plane. The HiPPO paper writes ``-A`` for our ``A``.
* **Shapes.** ``A`` is ``(N, N)``, ``B`` is ``(N, 1)`` (an mpmath matrix), a state is a list of ``N`` mpf.
* **Normalisation.** The basis is orthonormal for the measure, and positive at the present where it does not vanish.
  LMU is the one declared rescaling: ``c_lmu = T c_legt`` with ``T = diag(s_n (-1)^n)``.
* **Window coordinate.** A finite window has ``v`` in ``[0, 1]``, oldest first: ``v = 0`` at its far end and ``v = 1``
  now. An infinite window has the age ``u = t - x`` in ``[0, inf)``.
* **Time.** ``theta`` is the window length of a translated measure, ``dt`` the sample spacing of an invariant law. LegS
  has neither: its steps depend on ratios of times alone.
* **Samples and states.** ``samples[k]`` has ``k = 0 .. L-1`` and state ``k`` is the state after ``samples[0..k]``.
  A rule reads *cells* (``gbt(a)``, ``zoh``: the sample is the input on a whole step) or *nodes* (``trapezoid``,
  ``foh``, ``hold(d)``: its value at one time). An invariant law starts from zero. With cells, cell k ends at
  ``(k+1) dt`` or ``timestamps[k]``, cell 0 begins at 0, and state 0 has taken one step. With nodes, sample k and state
  k are at ``k dt`` or ``timestamps[k]``: state 0 is zero (or the given start), and step k >= 1 goes from node k-1 to
  node k. LegS has state 0 equal to ``samples[0] e_0``: the projection of a constant, whatever the time.
* **Holds.** ``hold(d)``: on ``[t_{k-1}, t_k]`` the input is the polynomial of degree ``min(d, k)`` through the last
  ``min(d, k) + 1`` nodes; before a first LegS node later than 0 it is ``samples[0]``. ``hold(0)`` is ``zoh``,
  ``hold(1)`` is ``foh``.
* **Times of LegS states.** ``gbt(a)``: sample ``k`` is at ``t_k = k``, its step has ``h = (t_k - t_{k-1})/t_k = 1/k``.
  ``zoh``: cell ``k`` ends at ``t_k = k + 1``. ``trapezoid``, ``foh``, ``hold(2)``, ``hold(3)``: node ``k`` is at
  ``t_k = k``, and ``t_0 = 0`` is allowed, since the projection has the limit ``f(0) e_0`` there.
* **Numbers.** Inputs are taken exactly (a float is the dyadic number it is), work runs at guard precision and results
  are rounded once, to ``dps`` digits. Errors are judged against the largest entry of a state or coefficient vector.
"""
