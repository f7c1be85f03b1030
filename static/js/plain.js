// Pages without the shell (sign-in, errors) need only ticking times.
import "./ui/times.js";
