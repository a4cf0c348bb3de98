package settings

import "regexp"

// Docker and Kubernetes write the addresses of services into the environment of the other containers. The variables of a
// service called freshet, or freshet-redis, have the prefix of the settings. Their values distinguish them from a misspelt
// setting. For example:
//
//	FRESHET_PORT=tcp://10.0.0.1:8080      written by Kubernetes
//	FRESHET_PORT=8080                     a mistake: there is no such setting
var injected = []struct{ name, value *regexp.Regexp }{
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_SERVICE_HOST$`), regexp.MustCompile(`^[0-9A-Fa-f.:]+$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_SERVICE_PORT(_[A-Z0-9_]+)?$`), regexp.MustCompile(`^[0-9]{1,5}$`)},
	// Links of Docker name the first and the last port of a range.
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_PORT(_[0-9]{1,5}_(TCP|UDP|SCTP)(_START|_END)?)?$`), regexp.MustCompile(`^(tcp|udp|sctp)://[^/]+$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_PORT_[0-9]{1,5}_(TCP|UDP|SCTP)_ADDR$`), regexp.MustCompile(`^[0-9A-Fa-f.:]+$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_PORT_[0-9]{1,5}_(TCP|UDP|SCTP)_PORT(_START|_END)?$`), regexp.MustCompile(`^[0-9]{1,5}$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_PORT_[0-9]{1,5}_(TCP|UDP|SCTP)_PROTO$`), regexp.MustCompile(`^(tcp|udp|sctp)$`)},
	// Links of Docker name the other container, /web/freshet, and repeat its environment.
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_NAME$`), regexp.MustCompile(`^/[^/]+/[^/]+$`)},
	{regexp.MustCompile(`^FRESHET(_[A-Z0-9_]+)?_ENV_.+$`), regexp.MustCompile(`(?s).*`)},
}

// isInjected reports whether Docker or Kubernetes wrote a variable of the environment.
func isInjected(name, value string) bool {
	for _, one := range injected {
		if one.name.MatchString(name) && one.value.MatchString(value) {
			return true
		}
	}
	return false
}
