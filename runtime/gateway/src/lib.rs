//! Serves the api from NodeHandle on the control socket. Forbids reaching past NodeHandle into actors.
