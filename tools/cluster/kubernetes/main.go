// Command kube is the five Kubernetes daemons in one binary: the first argument says which.
//
// One binary means one link instead of five: the daemons share nearly all of their packages.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var daemons = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
}

func main() {
	if len(os.Args) < 2 || daemons[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: %s DAEMON [FLAGS...], DAEMON one of:\n", filepath.Base(os.Args[0]))
		for name := range daemons {
			fmt.Fprintln(os.Stderr, "  "+name)
		}
		os.Exit(2)
	}
	command := daemons[os.Args[1]]()
	// The daemons take their name from the first argument in logs and in usage texts.
	os.Args = os.Args[1:]
	os.Exit(cli.Run(command))
}
