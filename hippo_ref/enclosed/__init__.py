"""The second witness for systems and states: everything in Arb's balls, sharing no formula with the mpmath side."""

from hippo_ref.enclosed.closed import enclose_closed_state
from hippo_ref.enclosed.states import enclose_jacobian, enclose_states, enclose_step
from hippo_ref.enclosed.systems import enclose_system

__all__ = ["enclose_closed_state", "enclose_jacobian", "enclose_states", "enclose_step", "enclose_system"]
