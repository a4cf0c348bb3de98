package main

import "regexp"

// Docker and Kubernetes put the addresses of services into the environment of every container beside them. For a service
// called freshet, or freshet-redis, their names begin as those of the settings do. Their values tell them apart from a
// misspelt setting. For example:
//
//	FRESHET_PORT=tcp://10.0.0.1:8080      Kubernetes wrote it
//	FRESHET_PORT=8080                     somebody took it for a setting
var injected = []struct{ name, value *regexp.Regexp }{
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_SERVICE_HOST$`), regexp.MustCompile(`^[0-9A-Fa-f.:]+$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_SERVICE_PORT(_[A-Z0-9_]+)?$`), regexp.MustCompile(`^[0-9]{1,5}$`)},
	// A range of ports has a first and a last one in the links of Docker.
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_PORT(_[0-9]{1,5}_(TCP|UDP|SCTP)(_START|_END)?)?$`), regexp.MustCompile(`^(tcp|udp|sctp)://[^/]+$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_PORT_[0-9]{1,5}_(TCP|UDP|SCTP)_ADDR$`), regexp.MustCompile(`^[0-9A-Fa-f.:]+$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_PORT_[0-9]{1,5}_(TCP|UDP|SCTP)_PORT(_START|_END)?$`), regexp.MustCompile(`^[0-9]{1,5}$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_PORT_[0-9]{1,5}_(TCP|UDP|SCTP)_PROTO$`), regexp.MustCompile(`^(tcp|udp|sctp)$`)},
	// A link of Docker: /web/freshet, and the environment of the other container.
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_NAME$`), regexp.MustCompile(`^/[^/]+/[^/]+$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_ENV_.+$`), regexp.MustCompile(`(?s).*`)},
}

// isInjected reports whether a variable of the environment was written by Docker or Kubernetes for a service.
func isInjected(name, value string) bool {
	for _, one := range injected {
		if one.name.MatchString(name) && one.value.MatchString(value) {
			return true
		}
	}
	return false
}
