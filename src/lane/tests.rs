//! Tests of the lane as a whole.
