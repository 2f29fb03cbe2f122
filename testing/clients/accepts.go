// Says of each server of a list whether crypto/tls accepts it. Each line: what, port, name, CAs.
// go run accepts.go LIST

package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	list, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n") {
		field := strings.Split(line, "\t")
		said := "accepted"
		if err := shake(field[1], field[2], field[3]); err != nil {
			said = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Printf("%s\t%s\n", field[0], said)
	}
}

func shake(port, name, cas string) error {
	text, err := os.ReadFile(cas)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	config := &tls.Config{RootCAs: roots, ServerName: name}
	connection, err := tls.DialWithDialer(dialer, "tcp", "127.0.0.1:"+port, config)
	if err == nil {
		connection.Close()
	}
	return err
}
