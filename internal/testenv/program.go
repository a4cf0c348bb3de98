package testenv

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// FreeAddress returns an address of loopback that nothing listens at.
func FreeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// Start runs a program until the test ends, and waits until it listens at an address.
func Start(t testing.TB, address, exe string, args ...string) {
	t.Helper()
	cmd := exec.Command(exe, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	for end := time.Now().Add(30 * time.Second); ; <-time.After(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", exe, err, said.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen at %s", exe, address)
		}
	}
}
