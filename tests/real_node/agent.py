"""The real L3 agent on a node that stands, and a server that knows what it is told.

usage: agent.py BUILDER WORKDIR --config-file FILE
Standard input, a line each: `add FLOATING_IP FIXED_IP` and `drop FLOATING_IP` are the server's, `start` is the agent's
full sync, `update` what it does when the router changed. Each is answered by its seconds.
"""
import json
import os
import sys
import time

builder, workdir = sys.argv[1:3]
sys.path.insert(0, builder)
import build_node  # noqa: E402

build_node.guard()
# Its chains are named after the program.
sys.argv = ['/usr/bin/neutron-l3-agent']
with open(workdir + '/cloud.json') as file:
    cloud = build_node.Cloud.from_json(json.load(file))
for fixed_ip in ('10.0.0.5', '10.0.0.6'):
    cloud.vm('ten', fixed_ip)
agent = build_node.setup_neutron(cloud, workdir, threads=16)
router = build_node.A_RID
for line in sys.stdin:
    words = line.split()
    began = time.time()
    if words[0] == 'add':
        cloud.fip(router, 'public', words[1], words[2], 'ten')
    elif words[0] == 'drop':
        cloud.unfip(router, words[1])
    elif words[0] == 'start':
        build_node.fullsync(agent)
    elif words[0] == 'update':
        build_node.notify(agent, [router])
    took = time.time() - began
    build_node.l2_wire(cloud)
    print('took %.6f' % took, flush=True)
os._exit(0)
